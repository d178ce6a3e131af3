/// What a function has been given as its state, when it is run: nothing, or what its handler asks for.
///
/// Only `()` can be given by nobody. It is not meant to be implemented elsewhere.
#[diagnostic::on_unimplemented(
    message = "the handler asks for `State<{S}>`, and nothing gives it",
    label = "needs `.state(..)` or `.init(..)` before it",
    note = "`.state(value)` gives a state that is there already; `.init(async || ..)` makes one when the function starts"
)]
pub trait Gives<S> {
    /// The state.
    fn give(self) -> S;
}

/// Neither `state` nor `init` was called.
#[derive(Debug)]
pub struct Nothing;

// === impl Nothing ===

impl Gives<()> for Nothing {
    fn give(self) {}
}
