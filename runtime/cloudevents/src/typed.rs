//! An event's data as a type of the author's, and back.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Data;

/// A type that an event's data can be read as: [`Data`] itself, or anything that serde can deserialize.
///
/// Data is read as JSON whatever the media type says; where it is absent, as `null`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from an event's data",
    label = "this is neither `Data` nor does it implement `serde::Deserialize`",
    note = "derive `serde::Deserialize` for it; `Event<Data>` gives the raw bytes, `Event<serde_json::Value>` any JSON"
)]
pub trait FromData: Sized {
    /// Reads `data`, whose media type is `content_type`.
    ///
    /// # Errors
    /// When the data is not what this type reads.
    fn from_data(data: &Data, content_type: Option<&str>) -> Result<Self, DataError>;
}

impl FromData for Data {
    fn from_data(data: &Data, _: Option<&str>) -> Result<Self, DataError> {
        Ok(data.clone())
    }
}

impl<T: DeserializeOwned> FromData for T {
    fn from_data(data: &Data, _: Option<&str>) -> Result<Self, DataError> {
        let text: &[u8] = if data.is_absent() {
            b"null"
        } else {
            data.bytes()
        };
        let mut parser = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
            DataError::Unexpected {
                absent: data.is_absent(),
                path: place(error.path()),
                reason: redacted(error.inner()),
            }
        })?;
        parser.end().map_err(|error| DataError::Unexpected {
            absent: false,
            path: ".".to_owned(),
            reason: redacted(&error),
        })?;
        Ok(value)
    }
}

/// A type that an event's data can be made of: [`Data`] itself, or anything that serde can serialize.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot become an event's data",
    label = "this is neither `Data` nor does it implement `serde::Serialize`",
    note = "derive `serde::Serialize` for it, or build a `Data` from bytes"
)]
pub trait IntoData {
    /// The data, and the media type to declare where the event has none.
    ///
    /// # Errors
    /// When serde cannot write it as JSON.
    fn into_data(self) -> Result<(Data, Option<&'static str>), DataError>;
}

impl IntoData for Data {
    fn into_data(self) -> Result<(Data, Option<&'static str>), DataError> {
        Ok((self, None))
    }
}

impl<T: Serialize> IntoData for T {
    fn into_data(self) -> Result<(Data, Option<&'static str>), DataError> {
        let text = serde_json::to_vec(&self).map_err(|error| DataError::Unserializable {
            reason: error.to_string(),
        })?;
        Ok((Data::json(text), Some("application/json")))
    }
}

/// Why data is not of the type that was asked for, or a value cannot become data.
///
/// It names the place and what was expected there, never the value that was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The data is no JSON, or not of the shape that the type has.
    #[error("{}`{path}`: {reason}", if *.absent { "the event has no data; " } else { "data at " })]
    Unexpected {
        /// Whether the event has no data at all, and `null` would not do.
        absent: bool,
        /// Where, such as `items[2].price`; `.` is the top.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// serde cannot write the value as JSON.
    #[error("the data cannot be written as JSON: {reason}")]
    Unserializable {
        /// What serde said.
        reason: String,
    },
}

/// A path as an error shows it; outside of every value there is only the top.
fn place(path: &serde_path_to_error::Path) -> String {
    match path.to_string() {
        unknown if unknown == "?" => ".".to_owned(),
        known => known,
    }
}

/// serde's words without the value they cite: `invalid type: string "…", expected u8` loses its quote.
fn redacted(error: &serde_json::Error) -> String {
    let text = error.to_string();
    for cited in ["invalid type: ", "invalid value: ", "unknown variant "] {
        let Some((rest, expected)) = text
            .strip_prefix(cited)
            .and_then(|rest| rest.rsplit_once(", expected "))
        else {
            continue;
        };
        let kind = rest.split(['`', '"']).next().unwrap_or_default().trim_end();
        return format!(
            "{}{}, expected {expected}",
            cited.trim_end_matches([':', ' ']),
            match kind {
                "" => String::new(),
                kind => format!(": {kind}"),
            }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize, Serialize)]
    struct Order {
        items: Vec<Item>,
    }

    #[derive(Debug, PartialEq, serde::Deserialize, Serialize)]
    struct Item {
        price: u32,
    }

    #[test]
    fn a_wrong_value_is_named_by_its_place_and_not_by_what_it_is() {
        let data = Data::json(r#"{"items":[{"price":1},{"price":"hunter2, expected x"}]}"#);
        let error = data.parse::<Order>(None).unwrap_err().to_string();
        assert!(error.contains("items[1].price"), "{error}");
        assert!(
            error.contains("invalid type: string, expected u32"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn absent_data_is_null_to_a_type() {
        assert_eq!(Data::absent().parse::<Option<u8>>(None), Ok(None));
        assert_eq!(Data::absent().parse::<()>(None), Ok(()));
        let error = Data::absent().parse::<u8>(None).unwrap_err().to_string();
        assert!(error.contains("has no data"), "{error}");
    }

    #[test]
    fn json_is_read_whatever_the_media_type_says() {
        assert_eq!(Data::opaque("7").parse::<u8>(Some("text/plain")), Ok(7));
        assert!(Data::opaque("7 x").parse::<u8>(None).is_err());
    }

    #[test]
    fn data_itself_passes_through() {
        let data = Data::binary(vec![0, 159]);
        assert_eq!(data.parse::<Data>(None), Ok(data.clone()));
        assert_eq!(data.clone().into_data(), Ok((data, None)));
    }
}
