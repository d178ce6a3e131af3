use openfaas_runtime::{Context, Event, Failure, Function, State};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    let bank = Bank::from_lookup(|key| std::env::var(key).ok());
    Function::event(handle).state(bank).run()
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

impl Bank {
    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            limit: lookup("payment_limit")
                .and_then(|limit| limit.parse().ok())
                .unwrap_or(50_000),
            faults: lookup("demo_faults").as_deref() == Some("true"),
        }
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

    fn bank(settings: &[(&str, &str)]) -> Bank {
        let settings = settings.to_vec();
        Bank::from_lookup(|key| {
            settings
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value.to_string())
        })
    }

    fn request(card: &str, amount: u64) -> Event<PaymentRequest> {
        testing::event::<PaymentRequest>(include_str!("../events/payment-requested.json")).map_data(
            |request| PaymentRequest {
                card: card.into(),
                amount,
                ..request
            },
        )
    }

    #[tokio::test]
    async fn up_to_the_limit_a_payment_is_accepted_and_above_it_is_declined() {
        for (amount, ty) in [(1_000, "payment.accepted"), (1_001, "payment.declined")] {
            let bank = bank(&[("payment_limit", "1000")]);

            let reply = handle(
                State(bank),
                request("4000-1234", amount),
                Context::default(),
            )
            .await
            .unwrap();

            assert_eq!(reply.ty(), ty);
            assert_eq!(
                *reply.data(),
                Payment {
                    order: "o-1".into(),
                    customer: "ada".into(),
                    amount
                }
            );
        }
    }

    #[tokio::test]
    async fn a_busy_bank_is_asked_again_and_pays_the_third_time() {
        for attempt in 1..3 {
            let context = Context::default().with_attempt(attempt);
            let failure = handle(State(bank(&[])), request(BUSY_CARD, 100), context)
                .await
                .unwrap_err();
            assert!(failure.is_retry());
        }
        let third = Context::default().with_attempt(3);
        assert!(
            handle(State(bank(&[])), request(BUSY_CARD, 100), third)
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn unless_faults_are_switched_on_no_card_kills() {
        assert!(
            handle(
                State(bank(&[])),
                request(KILLING_CARD, 100),
                Context::default()
            )
            .await
            .is_ok()
        );
        assert!(bank(&[("demo_faults", "true")]).faults);
        assert!(!bank(&[("demo_faults", "1")]).faults);
    }
}
