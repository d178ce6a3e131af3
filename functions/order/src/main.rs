use openfaas_runtime::{Event, Failure, Function};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

/// What a customer wants.
#[derive(Debug, Deserialize)]
struct Order {
    id: String,
    customer: String,
    card: String,
    lines: Vec<Line>,
}

#[derive(Debug, Deserialize)]
struct Line {
    item: String,
    quantity: u32,
    /// In cents.
    price: u64,
}

/// What is to be paid for it.
#[derive(Debug, PartialEq, Serialize)]
struct PaymentRequest {
    order: String,
    customer: String,
    card: String,
    /// In cents.
    amount: u64,
    items: Vec<String>,
}

/// Adds up an order. One without anything in it will never be right: it is rejected, not tried again.
async fn handle(event: Event<Order>) -> Result<Event<PaymentRequest>, Failure> {
    let order = event.into_data();
    let amount = order
        .lines
        .iter()
        .map(|line| u64::from(line.quantity) * line.price)
        .sum();
    if amount == 0 {
        return Err(Failure::reject(format!(
            "order {} has nothing in it",
            order.id
        )));
    }
    let request = PaymentRequest {
        order: order.id,
        customer: order.customer.clone(),
        card: order.card,
        amount,
        items: order.lines.into_iter().map(|line| line.item).collect(),
    };
    Ok(Event::new("payment.requested", request).with_extension("partitionkey", order.customer))
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::{Data, testing};

    use super::*;

    const ORDER: &str = include_str!("../events/order.json");

    #[tokio::test]
    async fn an_order_becomes_a_request_for_its_sum() {
        let reply = handle(testing::event(ORDER)).await.unwrap();

        assert_eq!(reply.ty(), "payment.requested");
        assert_eq!(reply.partition_key().as_deref(), Some("ada"));
        let expected = PaymentRequest {
            order: "o-1".into(),
            customer: "ada".into(),
            card: "4000-1234".into(),
            amount: 3800,
            items: vec!["tea".into(), "pot".into()],
        };
        assert_eq!(*reply.data(), expected);
    }

    #[tokio::test]
    async fn an_order_without_lines_is_rejected() {
        let empty = testing::event::<Order>(ORDER).map_data(|order| Order {
            lines: Vec::new(),
            ..order
        });

        let failure = handle(empty).await.unwrap_err();

        assert!(failure.is_rejection());
        assert_eq!(failure.reason(), "order o-1 has nothing in it");
    }

    #[tokio::test]
    async fn what_is_no_order_is_refused_before_the_handler() {
        let tea = Event::new("order.placed", "tea, please");

        let reply = testing::call(Function::event(handle), tea).await;

        assert_eq!(reply.status(), 422);
    }

    #[tokio::test]
    async fn in_a_batch_each_order_has_an_answer_of_its_own() {
        let order: Event = testing::event(ORDER);
        let tea = Event::new("order.placed", Data::text("tea, please")).with_id("o-2");

        let reply = testing::call(Function::event(handle), vec![order, tea]).await;

        assert_eq!(reply.status(), 207);
        let answer: serde_json::Value = reply.json().unwrap();
        assert_eq!(answer["results"][0]["status"], 200);
        assert_eq!(answer["results"][1]["status"], 422);
    }
}
