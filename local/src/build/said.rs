//! What compilers said already. A runtime that does not compile fails every function with the same words.

use std::collections::HashSet;

/// Paragraphs that were shown.
#[derive(Debug, Default)]
pub struct Said(HashSet<String>);

impl Said {
    /// The paragraphs of `output` that were not shown before.
    pub fn fresh(&mut self, output: &str) -> String {
        let fresh = |paragraph: &&str| {
            !paragraph.trim().is_empty() && self.0.insert((*paragraph).to_owned())
        };
        output
            .split("\n\n")
            .filter(fresh)
            .collect::<Vec<_>>()
            .join("\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_is_shown_once() {
        let mut said = Said::default();
        assert_eq!(
            said.fresh("error: a\n --> x\n\nerror: b"),
            "error: a\n --> x\n\nerror: b"
        );
        assert_eq!(said.fresh("error: a\n --> x\n\nerror: c"), "error: c");
    }
}
