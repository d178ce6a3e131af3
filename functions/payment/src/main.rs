use openfaas_runtime::{Context, Event, Failure, Function, State};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).init(bank).run()
}

#[derive(Debug, Deserialize)]
struct PaymentRequest {
    order: String,
    customer: String,
    card: String,
    /// In cents.
    amount: u64,
}

#[derive(Debug, PartialEq, Serialize)]
struct Payment {
    order: String,
    customer: String,
    /// In cents.
    amount: u64,
}

/// Asks the bank. A declined payment is an answer like an accepted one and goes on under another type; a bank that is
/// busy is asked again.
async fn handle(
    State(bank): State<Bank>,
    event: Event<PaymentRequest>,
    context: Context,
) -> Result<Event<Payment>, Failure> {
    let PaymentRequest {
        order,
        customer,
        card,
        amount,
    } = event.into_data();
    let ty = match bank.charge(&card, amount, context.attempt()) {
        Verdict::Accepted => "payment.accepted",
        Verdict::Declined => "payment.declined",
        Verdict::Busy => return Err(Failure::retry().because("the bank is busy")),
    };
    Ok(Event::new(
        ty,
        Payment {
            order,
            customer,
            amount,
        },
    ))
}

/// Stands in for a bank. What it does depends on the card and the amount alone, so that the same orders always take the
/// same way through the chain.
#[derive(Clone, Debug)]
struct Bank {
    /// Env `payment_limit`, in cents: more than this is declined.
    limit: u64,
    /// Env `demo_faults`, off unless `true`: whether the card `kills` kills this process.
    faults: bool,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    Accepted,
    Declined,
    Busy,
}

/// With this card the bank is busy, and no more so the third time it is asked.
const BUSY_CARD: &str = "busy";

/// A demonstration switch: with this card, and `demo_faults=true`, the process ends in the middle of the call. It shows
/// what becomes of an event that kills whatever takes it.
const KILLING_CARD: &str = "kills";

/// Made once, when the function starts. If it cannot be, the process ends with what is wrong.
async fn bank() -> Result<Bank, String> {
    Bank::from_lookup(|key| std::env::var(key).ok())
}

impl Bank {
    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let limit = match lookup("payment_limit") {
            None => 50_000,
            Some(limit) => limit.parse().map_err(|_| {
                format!("payment_limit is {limit:?}; write whole cents, such as 50000")
            })?,
        };
        let faults = lookup("demo_faults").as_deref() == Some("true");
        Ok(Self { limit, faults })
    }

    fn charge(&self, card: &str, amount: u64, attempt: u32) -> Verdict {
        if self.faults && card == KILLING_CARD {
            std::process::abort();
        }
        match card {
            BUSY_CARD if attempt < 3 => Verdict::Busy,
            _ if amount > self.limit => Verdict::Declined,
            _ => Verdict::Accepted,
        }
    }
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::testing;

    use super::*;

    const REQUEST: &str = include_str!("../events/payment-requested.json");

    /// Pays at a bank whose limit is 10.00, with nothing else set.
    async fn pay(card: &str, amount: u64, context: Context) -> Result<Event<Payment>, Failure> {
        let bank = Bank::from_lookup(|key| (key == "payment_limit").then(|| "1000".into()));
        let request = testing::event(REQUEST).map_data(|request| PaymentRequest {
            card: card.into(),
            amount,
            ..request
        });
        handle(State(bank.unwrap()), request, context).await
    }

    #[tokio::test]
    async fn above_the_limit_a_payment_is_declined() {
        for (amount, ty) in [(1000, "payment.accepted"), (1001, "payment.declined")] {
            let reply = pay("4000-1234", amount, Context::default()).await.unwrap();

            assert_eq!(reply.ty(), ty);
            assert_eq!(
                (reply.data().order.as_str(), reply.data().amount),
                ("o-1", amount)
            );
        }
    }

    #[tokio::test]
    async fn a_busy_bank_takes_the_payment_on_the_third_attempt() {
        for attempt in [1, 2] {
            let context = Context::default().with_attempt(attempt);
            assert!(pay(BUSY_CARD, 100, context).await.unwrap_err().is_retry());
        }
        let third = Context::default().with_attempt(3);
        assert!(pay(BUSY_CARD, 100, third).await.is_ok());
    }

    #[tokio::test]
    async fn no_card_kills_unless_faults_are_switched_on() {
        assert!(pay(KILLING_CARD, 100, Context::default()).await.is_ok());
    }

    #[test]
    fn a_limit_that_is_no_number_stops_the_start() {
        let lookup = |key: &str| (key == "payment_limit").then(|| "lots".to_owned());

        let error = Bank::from_lookup(lookup).unwrap_err();

        assert_eq!(
            error,
            "payment_limit is \"lots\"; write whole cents, such as 50000"
        );
    }
}
