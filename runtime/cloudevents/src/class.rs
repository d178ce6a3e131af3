//! Sets of ASCII characters, as grammars name them.

/// A set of bytes that answers in one look-up.
#[derive(Debug)]
pub(crate) struct Class([bool; 256]);

impl Class {
    /// `A-Z`, `a-z` and `0-9`.
    pub(crate) const LETTERS_AND_DIGITS: Self =
        Self([false; 256]).and(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");

    /// This set and `more`.
    pub(crate) const fn and(self, more: &[u8]) -> Self {
        let Self(mut set) = self;
        let mut at = 0;
        while at < more.len() {
            set[more[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_holds_what_was_put_into_it_and_nothing_else() {
        const CLASS: Class = Class::LETTERS_AND_DIGITS.and(b"-");
        assert!(b"azAZ09-".iter().all(|b| CLASS.contains(*b)));
        assert!(!b"_ .\0\xff".iter().any(|b| CLASS.contains(*b)));
    }
}
