//! Columns.

/// `rows` with their columns aligned, two spaces between them, no space at the end of a line. Widths are counted in
/// characters, escape sequences of colours left out.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| shown(cell))
            .max()
    };
    let widths: Vec<usize> = (0..columns).filter_map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - shown(cell) + 2));
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// How many characters of `text` a terminal shows.
fn shown(text: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for character in text.chars() {
        match character {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_their_colour() {
        let rows = [
            vec!["\u{1b}[31mno\u{1b}[0m".to_owned(), "x".to_owned()],
            vec!["name".to_owned(), "url".to_owned()],
        ];
        assert_eq!(table(&rows), ["\u{1b}[31mno\u{1b}[0m    x", "name  url"]);
    }
}
