use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use openfaas_runtime::axum::extract::{Path, State};
use openfaas_runtime::axum::http::{HeaderMap, StatusCode};
use openfaas_runtime::axum::routing::{get, post};
use openfaas_runtime::axum::{Json, Router};
use openfaas_runtime::{Context, Event, Function, Publisher};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::router(router()).state(Orders::default()).run()
}

fn router() -> Router<Orders> {
    Router::new()
        .route("/", post(arrived))
        .route("/orders", post(place))
        .route("/orders/later", post(place_later))
        .route("/orders/topic", post(publish))
        .route("/orders/{id}", get(progress))
        .route("/callback", post(called_back))
}

/// What became of each order, by its id, as far as this one process was told.
#[derive(Clone, Debug, Default)]
struct Orders(Arc<Mutex<BTreeMap<String, String>>>);

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Order {
    id: String,
    customer: String,
    card: String,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Line {
    item: String,
    quantity: u32,
    /// In cents.
    price: u64,
}

/// What `order` answers and what the end of the chain tells: either names the order.
#[derive(Debug, Deserialize, Serialize)]
struct Told {
    order: String,
}

/// What `order` says an order costs.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Price {
    order: String,
    /// In cents.
    amount: u64,
}

type Refusal = (StatusCode, String);

/// Asks `order` for the price and waits for it.
async fn place(
    State(orders): State<Orders>,
    context: Context,
    Json(order): Json<Order>,
) -> Result<Json<Price>, Refusal> {
    let reply = context
        .gateway()
        .call("order")
        .event(placed(order))
        .map_err(refused)?
        .send()
        .await
        .map_err(refused)?;
    let prices = reply
        .ok()
        .and_then(|reply| reply.events::<Price>())
        .map_err(refused)?;
    let price = prices
        .into_iter()
        .next()
        .ok_or_else(|| refused("order answered without a price"))?
        .into_data();
    orders.set(&price.order, "priced");
    Ok(Json(price))
}

/// Leaves an order with the gateway, which calls back once `order` has answered.
async fn place_later(
    State(orders): State<Orders>,
    context: Context,
    Json(order): Json<Order>,
) -> Result<StatusCode, Refusal> {
    let id = order.id.clone();
    let gateway = context.gateway();
    let url = gateway.url().to_string();
    let callback = format!("{}/function/storefront/callback", url.trim_end_matches('/'));
    let call = gateway
        .call("order")
        .event(placed(order))
        .map_err(refused)?
        .callback(&callback);
    call.send()
        .await
        .and_then(|reply| reply.ok())
        .map_err(refused)?;
    orders.set(&id, "queued");
    Ok(StatusCode::ACCEPTED)
}

/// Publishes an order to the topic where the chain begins, and answers when it is stored there.
async fn publish(
    State(orders): State<Orders>,
    publisher: Publisher,
    Json(order): Json<Order>,
) -> Result<StatusCode, Refusal> {
    // Before it is out: the end of the chain may be told sooner than this is.
    orders.set(&order.id, "published");
    let published = publisher.publish("orders", placed(order)).await;
    published.map_err(refused)?;
    Ok(StatusCode::ACCEPTED)
}

/// Where the gateway posts what `order` answered to [`place_later`].
async fn called_back(State(orders): State<Orders>, Json(told): Json<Told>) -> StatusCode {
    orders.set(&told.order, "priced");
    StatusCode::NO_CONTENT
}

/// The chain's end. This is a plain HTTP function: an event comes as a request whose `ce-` headers are its attributes and
/// whose body is its data.
async fn arrived(
    State(orders): State<Orders>,
    headers: HeaderMap,
    Json(told): Json<Told>,
) -> StatusCode {
    let status = match headers.get("ce-type").map(|ty| ty.as_bytes()) {
        Some(b"order.shipped") => "shipped",
        Some(b"payment.declined") => "declined",
        _ => return StatusCode::UNPROCESSABLE_ENTITY,
    };
    orders.set(&told.order, status);
    StatusCode::NO_CONTENT
}

async fn progress(
    State(orders): State<Orders>,
    Path(id): Path<String>,
) -> Result<String, StatusCode> {
    orders.get(&id).ok_or(StatusCode::NOT_FOUND)
}

fn placed(order: Order) -> Event<Order> {
    let (id, customer) = (order.id.clone(), order.customer.clone());
    Event::new("order.placed", order)
        .with_id(id)
        .with_source("/function/storefront")
        .with_extension("partitionkey", customer)
}

fn refused(error: impl ToString) -> Refusal {
    (StatusCode::BAD_GATEWAY, error.to_string())
}

impl Orders {
    fn set(&self, order: &str, status: &str) {
        self.0
            .lock()
            .unwrap()
            .insert(order.to_owned(), status.to_owned());
    }

    fn get(&self, order: &str) -> Option<String> {
        self.0.lock().unwrap().get(order).cloned()
    }
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::Gateway;
    use openfaas_runtime::axum::http::Request;
    use openfaas_runtime::testing::{self, Running};

    use super::*;

    fn storefront() -> Function {
        Function::router(router()).state(Orders::default())
    }

    fn order() -> Order {
        let line = Line {
            item: "tea".into(),
            quantity: 2,
            price: 450,
        };
        Order {
            id: "o-1".into(),
            customer: "ada".into(),
            card: "4000".into(),
            lines: vec![line],
        }
    }

    fn through(gateway: &str) -> Context {
        Context::default().with_gateway(Gateway::at(gateway.parse().unwrap()))
    }

    /// A stand-in for the gateway with `order` behind it: it answers whatever it is called with.
    async fn order_function() -> (Running, Context) {
        async fn price(event: Event<Order>) -> Event<Price> {
            let order = event.into_data();
            let amount = order
                .lines
                .iter()
                .map(|line| u64::from(line.quantity) * line.price)
                .sum();
            Event::new(
                "payment.requested",
                Price {
                    order: order.id,
                    amount,
                },
            )
        }
        let running = testing::start(Function::event(price)).await;
        let context = through(&running.url("/"));
        (running, context)
    }

    #[tokio::test]
    async fn an_order_is_priced_by_the_order_function() {
        let (_running, context) = order_function().await;
        let orders = Orders::default();

        let Json(price) = place(State(orders.clone()), context, Json(order()))
            .await
            .unwrap();

        assert_eq!(
            price,
            Price {
                order: "o-1".into(),
                amount: 900
            }
        );
        assert_eq!(orders.get("o-1").as_deref(), Some("priced"));
    }

    #[tokio::test]
    async fn without_the_order_function_it_says_so() {
        let nobody = through("http://127.0.0.1:9/");

        let (status, reason) = place(State(Orders::default()), nobody, Json(order()))
            .await
            .unwrap_err();

        assert_eq!(status, StatusCode::BAD_GATEWAY);
        assert!(reason.contains("order"), "{reason}");
    }

    #[tokio::test]
    async fn an_order_is_published_to_where_the_chain_begins() {
        type Taken = Arc<Mutex<Vec<String>>>;
        async fn take(State(taken): State<Taken>, event: Event<Order>) {
            taken.lock().unwrap().push(event.id().to_owned());
        }
        let taken = Taken::default();
        // Stands in for the bus: what it is posted is stored.
        let bus = testing::start(Function::event(take).state(taken.clone())).await;
        let publisher = Publisher::at(bus.url("/").parse().unwrap());
        let orders = Orders::default();

        let status = publish(State(orders.clone()), publisher, Json(order())).await;

        assert_eq!(status.unwrap(), StatusCode::ACCEPTED);
        assert_eq!(*taken.lock().unwrap(), ["o-1"]);
        assert_eq!(orders.get("o-1").as_deref(), Some("published"));
    }

    #[tokio::test]
    async fn the_end_of_the_chain_is_told_by_plain_requests() {
        let function = testing::start(storefront()).await;
        for (ty, status) in [
            ("order.shipped", "shipped"),
            ("payment.declined", "declined"),
        ] {
            let told = Told {
                order: "o-1".into(),
            };
            assert_eq!(function.call(Event::new(ty, told)).await.status(), 204);
            assert_eq!(function.get("/orders/o-1").await.text(), status);
        }
    }

    #[tokio::test]
    async fn a_callback_is_told_too_and_an_unknown_order_is_not_found() {
        let function = testing::start(storefront()).await;
        assert_eq!(function.get("/orders/o-2").await.status(), 404);

        let callback = Request::post("/callback").header("content-type", "application/json");
        let callback = callback.body(r#"{"order":"o-2","amount":900}"#).unwrap();
        assert_eq!(function.call(callback).await.status(), 204);
        assert_eq!(function.get("/orders/o-2").await.text(), "priced");
    }
}
