//! The chain as the storefront sees it: it asks for prices through the gateway, and is told how each order ended.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{
    Promise,
    orders::{Fate, ORDERS, Order},
};
use crate::gateway::{Client, reachable};

/// How long it may take until the storefront is told of something.
const TOLD: Duration = Duration::from_secs(5);

/// A client of the storefront.
#[derive(Debug)]
pub struct Storefront<'a> {
    /// Connections.
    client: &'a Client,
    /// Its URL.
    url: String,
}

impl<'a> Storefront<'a> {
    /// The storefront behind the gateway at `gateway`.
    #[must_use]
    pub fn new(client: &'a Client, gateway: std::net::SocketAddr) -> Self {
        Self {
            client,
            url: format!("http://{}/function/storefront", reachable(gateway)),
        }
    }

    /// Orders three times, waiting for the price, called back with it, and by the chain's first topic, and asks what became of the orders of the chain.
    pub async fn check(&self) -> Vec<Promise> {
        vec![
            Promise::new(
                "the storefront asks the order function for a price and waits for it",
                self.waits().await,
            ),
            Promise::new(
                "the storefront leaves an order with the gateway and is called back",
                self.is_called().await,
            ),
            Promise::new(
                "the storefront publishes an order, and is told of its end",
                self.publishes().await,
            ),
            Promise::new(
                "the storefront was told how each order ended",
                self.was_told().await,
            ),
        ]
    }

    async fn waits(&self) -> Result<(), String> {
        let (status, body) = self.ask(Method::POST, "/orders", renamed("asked")).await?;
        let price = serde_json::from_str::<Value>(&body).unwrap_or_default();
        expect(status == StatusCode::OK && price["amount"] == 900, || {
            format!("it answered {status}: {body}")
        })
    }

    async fn is_called(&self) -> Result<(), String> {
        self.accepts("/orders/later", "deferred").await?;
        self.becomes("deferred", "priced").await
    }

    async fn publishes(&self) -> Result<(), String> {
        self.accepts("/orders/topic", "published").await?;
        self.becomes("published", "shipped").await
    }

    async fn accepts(&self, path: &str, order: &str) -> Result<(), String> {
        let (status, body) = self.ask(Method::POST, path, renamed(order)).await?;
        expect(status == StatusCode::ACCEPTED, || {
            format!("it answered {status}: {body}")
        })
    }

    /// Waits until it says this of an order.
    async fn becomes(&self, order: &str, wanted: &str) -> Result<(), String> {
        let deadline = Instant::now() + TOLD;
        loop {
            let path = format!("/orders/{order}");
            let (_, state) = self.ask(Method::GET, &path, String::new()).await?;
            if state == wanted {
                return Ok(());
            }
            expect(Instant::now() < deadline, || {
                format!("it was not told; the order is {state}")
            })?;
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn was_told(&self) -> Result<(), String> {
        let told = |order: &Order| match order.fate {
            Fate::Shipped | Fate::ShippedAtThirdAttempt => Some("shipped"),
            Fate::Declined => Some("declined"),
            Fate::Rejected | Fate::Kills => None,
        };
        for (order, expected) in ORDERS
            .iter()
            .filter_map(|order| Some((order, told(order)?)))
        {
            let (_, state) = self
                .ask(Method::GET, &format!("/orders/{}", order.id), String::new())
                .await?;
            expect(state == expected, || {
                format!("it says of {}: {state}", order.id)
            })?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, String), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body));
        let request = request.map_err(|error| error.to_string())?;
        let answer = self
            .client
            .send(request)
            .await
            .map_err(|_| "it does not answer".to_owned())?;
        let status = answer.status();
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }
}

/// The first order under another id.
fn renamed(id: &str) -> String {
    ORDERS[0].json().replace(ORDERS[0].id, id)
}

fn expect(right: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if right { Ok(()) } else { Err(otherwise()) }
}
