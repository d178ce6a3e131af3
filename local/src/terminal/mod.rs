//! What a person sees: lines on standard output, coloured and with a moving last line only on a terminal.

mod cause;
mod console;
mod path;
mod style;
mod table;

pub use cause::with_cause;
pub use console::Console;
pub use path::shown;
pub use style::{Colour, Style, duration};
pub use table::table;
