//! Functions as processes of this machine.
//!
//! [`Functions`] are all of a run; a [`Function`] keeps as many processes as it is asked for; each process is started on
//! ports of its own, watched, and started again when it dies. The [`Guard`] sees to it that none outlives the runner.

mod environment;
mod function;
mod functions;
pub mod guard;
pub mod health;
mod host;
mod leavings;
mod logs;
mod ports;
mod replica;
pub mod secrets;
mod spec;
mod table;

pub use environment::{Common, Place};
pub use function::{Desired, Function};
pub use functions::Functions;
pub use guard::{Guard, GuardError, Leavings};
pub use host::Host;
pub use leavings::{LeftBehind, how, remove};
pub use logs::{Line, Logs, Origin, Wanted};
pub use secrets::Secrets;
pub use spec::{NAMESPACE, Resources, Spec};
pub use table::{Entry, State, Table};
