//! Any table: a title for each column, then lines.

use std::fmt::{Result, Write};

/// Writes a table whose columns are as wide as what stands in them.
///
/// # Errors
/// Those of `to`.
pub fn write<const N: usize>(
    to: &mut impl Write,
    titles: [&str; N],
    lines: impl IntoIterator<Item = [String; N]>,
) -> Result {
    let mut all = vec![titles.map(str::to_owned)];
    all.extend(lines);
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = all.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    });
    for (place, line) in all.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            write!(to, "| {cell:<width$} ")?;
        }
        writeln!(to, "|")?;
        if place == 0 {
            for width in widths {
                write!(to, "|{:-<1$}", "", width + 2)?;
            }
            writeln!(to, "|")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut text = String::new();
        let line = ["µs".to_owned(), "12.5".to_owned()];
        super::write(&mut text, ["what", ""], [line]).expect("a string takes all");
        assert_eq!(text, "| what |      |\n|------|------|\n| µs   | 12.5 |\n");
    }
}
