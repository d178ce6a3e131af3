use openfaas_runtime::{Event, Function};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

#[derive(Debug, Deserialize)]
struct Payment {
    order: String,
    customer: String,
}

#[derive(Debug, PartialEq, Serialize)]
struct Shipment {
    order: String,
    customer: String,
    tracking: String,
}

/// Sends what was paid for. The events of one customer come here one after the other, for they carry its name as
/// `partitionkey`.
async fn handle(event: Event<Payment>) -> Event<Shipment> {
    let Payment { order, customer } = event.into_data();
    let tracking = format!("RS-{}", order.to_uppercase());
    Event::new(
        "order.shipped",
        Shipment {
            order,
            customer,
            tracking,
        },
    )
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::testing;

    use super::*;

    #[tokio::test]
    async fn what_was_paid_is_shipped() {
        let reply = handle(testing::event(include_str!(
            "../events/payment-accepted.json"
        )))
        .await;

        assert_eq!(reply.ty(), "order.shipped");
        let expected = Shipment {
            order: "o-1".into(),
            customer: "ada".into(),
            tracking: "RS-O-1".into(),
        };
        assert_eq!(*reply.data(), expected);
    }
}
