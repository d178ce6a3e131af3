//! The promises of delivery over the in-memory bus.

use std::time::Duration;

use openfaas_delivery::broker::Message;
use openfaas_delivery::memory::{Bus, Limits};
use openfaas_delivery::promises::{self, Stand};
use openfaas_delivery::wiring::Wiring;

struct Memory(Bus);

impl Stand for Memory {
    type Broker = Bus;

    fn broker(&self) -> Bus {
        self.0.clone()
    }

    async fn create(&self, _: &str) {}

    async fn messages(&self, topic: &str) -> Vec<Message> {
        self.0
            .messages(topic)
            .iter()
            .map(|message| (**message).clone())
            .collect()
    }

    async fn backlog(&self, wiring: &Wiring, topic: &str) -> usize {
        let backlog = self.0.backlog(&wiring.durable(topic));
        backlog.unwrap_or_else(|| self.0.messages(topic).len())
    }
}

/// One test per promise, each on a bus of its own.
macro_rules! over_memory {
    ($($promise:ident),* $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let limits = Limits { ack_wait: Duration::from_secs(1), ..Limits::default() };
                promises::$promise(&Memory(Bus::new(limits))).await;
            }
        )*
    };
}

over_memory! {
    a_batch_is_settled_event_by_event,
    a_chain_stops_at_its_limit,
    a_crash_loses_nothing,
    a_dead_letter_is_the_original,
    a_door_that_drains_leaves_nothing_to_suspect,
    a_drain_hands_back_what_waits,
    a_function_that_is_down_costs_no_attempts,
    a_function_that_is_down_stops_no_other,
    a_function_that_knows_no_batches_gets_one_by_one,
    an_input_is_settled_after_its_reply_is_stored,
    events_of_one_key_stay_in_order,
    nothing_is_dropped_while_dead_letters_cannot_be_stored,
    poison_that_kills_ends_alone,
    poison_that_kills_its_door_ends_alone,
    replies_carry_identity_and_trace,
    retries_are_never_early,
    what_is_redriven_is_for_one_function_alone,
    what_is_redriven_is_not_filtered,
}
