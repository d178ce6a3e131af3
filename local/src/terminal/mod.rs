//! What a person sees: lines on standard output, coloured and with a moving last line only on a terminal.

mod console;
mod style;
mod table;

pub use console::Console;
pub use style::{Colour, Style, duration};
pub use table::table;
