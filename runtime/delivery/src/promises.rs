//! The promises of delivery, each as one test over any broker.
//!
//! A broker plugs in with a [`Stand`]; each function here then panics where the promise is broken. They run in real time,
//! with short waits, so of timing they say only "never early": the rest is the simulator's.

mod batches;
mod deaths;
mod doors;
mod function;
mod gate;
mod letters;
mod order;
mod settling;
mod sharing;
mod stage;

pub use batches::{
    a_batch_is_settled_event_by_event, a_function_that_knows_no_batches_gets_one_by_one,
};
pub use deaths::{a_function_that_is_down_costs_no_attempts, poison_that_kills_ends_alone};
pub use doors::{
    a_door_that_drains_leaves_nothing_to_suspect, poison_that_kills_its_door_ends_alone,
};
pub use letters::{
    a_chain_stops_at_its_limit, a_dead_letter_is_the_original,
    the_marker_of_a_letter_that_is_gone_is_settled_without_a_call,
    what_is_redriven_is_for_one_function_alone, what_is_redriven_is_not_filtered,
};
pub use order::{
    a_crash_loses_nothing, a_drain_hands_back_what_waits, events_of_one_key_stay_in_order,
    retries_are_never_early,
};
pub use settling::{
    an_input_is_settled_after_its_reply_is_stored, lag_is_all_that_is_not_settled,
    nothing_is_dropped_while_dead_letters_cannot_be_stored, replies_carry_identity_and_trace,
};
pub use sharing::a_function_that_is_down_stops_no_other;
pub use stage::Stand;

/// Calls the macro `$each` with the names of all promises, so that no broker's tests leave one out.
#[macro_export]
macro_rules! every_promise {
    ($each:ident) => {
        $each! {
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
            lag_is_all_that_is_not_settled,
            nothing_is_dropped_while_dead_letters_cannot_be_stored,
            poison_that_kills_ends_alone,
            poison_that_kills_its_door_ends_alone,
            replies_carry_identity_and_trace,
            retries_are_never_early,
            the_marker_of_a_letter_that_is_gone_is_settled_without_a_call,
            what_is_redriven_is_for_one_function_alone,
            what_is_redriven_is_not_filtered,
        }
    };
}
