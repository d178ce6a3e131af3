use openfaas_runtime::{Context, Event, Failure, Function};
use serde::{Deserialize, Serialize};

fn main() -> openfaas_runtime::Result<()> {
    Function::event(handle).run()
}

#[derive(Debug, Deserialize)]
struct Visitor {
    name: String,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
struct Greeting {
    text: String,
    attempt: u32,
}

/// What it returns decides what becomes of the event: a reply, or nothing, settles it; `Failure::retry()` and any other
/// error bring it back later; `Failure::reject(reason)` makes a dead letter of it.
async fn handle(event: Event<Visitor>, context: Context) -> Result<Event<Greeting>, Failure> {
    let visitor = event.into_data();
    if visitor.name.is_empty() {
        return Err(Failure::reject("a visitor without a name"));
    }
    let text = format!("Hello, {}!", visitor.name);
    Ok(Event::new(
        "visitor.greeted",
        Greeting {
            text,
            attempt: context.attempt(),
        },
    ))
}

#[cfg(test)]
mod tests {
    use openfaas_runtime::testing;

    use super::*;

    const VISITOR: &str = include_str!("../events/visitor.json");

    #[tokio::test]
    async fn greets_a_visitor() {
        let reply = handle(testing::event(VISITOR), Context::default())
            .await
            .unwrap();

        assert_eq!(reply.ty(), "visitor.greeted");
        assert_eq!(reply.data().text, "Hello, Ferris!");
    }

    #[tokio::test]
    async fn rejects_a_visitor_without_a_name() {
        let nobody = Event::new(
            "visitor.arrived",
            Visitor {
                name: String::new(),
            },
        );

        let failure = handle(nobody, Context::default()).await.unwrap_err();

        assert!(failure.is_rejection());
    }

    #[tokio::test]
    async fn answers_what_a_caller_sees() {
        let visitor: Event = testing::event(VISITOR);

        let reply = testing::call(Function::event(handle), visitor).await;

        assert_eq!(reply.status(), 200);
        let greetings = reply.events::<Greeting>().unwrap();
        assert_eq!(
            *greetings[0].data(),
            Greeting {
                text: "Hello, Ferris!".into(),
                attempt: 1
            }
        );
    }
}
