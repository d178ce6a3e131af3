//! The promises of delivery over Kafka.

use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::kafka::{Kafka, Settings};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;
use openfaas_tests::kafka::Server;

struct Real(&'static Server);

impl Stand for Real {
    type Broker = Kafka;

    fn broker(&self) -> Kafka {
        Kafka::new(Settings {
            session_timeout: Duration::from_secs(6),
            commit_every: Duration::from_millis(20),
            ..Settings::new(self.0.hosts())
        })
    }

    async fn create(&self, topic: &str) {
        self.0.create(topic, 3, &[]).await;
    }

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.0.messages(topic)
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        self.0.lag(&wiring.group(), topic)
    }
}

/// One test per promise, on topics of its own.
macro_rules! over_kafka {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                promises::$promise(&Real(Server::shared())).await;
            }
        )*
    };
}

over_kafka! {
    a_batch_is_settled_event_by_event,
    a_chain_stops_at_its_limit,
    a_crash_loses_nothing,
    a_dead_letter_is_the_original,
    a_drain_hands_back_what_waits,
    a_function_that_is_down_costs_no_attempts,
    a_function_that_knows_no_batches_gets_one_by_one,
    an_input_is_settled_after_its_reply_is_stored,
    events_of_one_key_stay_in_order,
    nothing_is_dropped_while_dead_letters_cannot_be_stored,
    poison_that_kills_ends_alone,
    replies_carry_identity_and_trace,
    retries_are_never_early,
    what_is_redriven_is_for_one_function_alone,
    what_is_redriven_is_not_filtered,
}
