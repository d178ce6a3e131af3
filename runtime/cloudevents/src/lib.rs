//! The CloudEvents event type and its wire codec: HTTP, NATS and Kafka, without I/O.
//!
//! An [`Event`] is lossless: its attributes keep their order, their type and their exact text, its data is a slice of
//! the bytes that came in, and a structured event that nobody changed leaves as the very bytes it came as.
//!
//! ```
//! use openfaas_cloudevents::{Event, http};
//!
//! let event = Event::new("order.placed", serde_json::json!({ "total": 12.50 }))
//!     .with_id("A-17")
//!     .with_source("/shop");
//! let (headers, body) = http::encode_binary(&event.into_raw()?)?;
//! assert_eq!(headers["ce-id"], "A-17");
//! assert_eq!(body, r#"{"total":12.5}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attribute;
mod class;
mod data;
mod error;
mod event;
mod limits;
mod media;
mod mode;
mod name;
mod percent;
#[cfg(feature = "cloudevents-sdk")]
mod sdk;
pub mod timestamp;
mod typed;
mod uri;
mod value;

pub mod http;
pub mod json;
pub mod kafka;
pub mod nats;

pub use data::Data;
pub use error::{Error, Problem};
pub use event::Event;
pub use limits::Limits;
pub use media::MediaType;
pub use typed::{DataError, FromData, IntoData};
pub use value::AttributeValue;
