//! Identifiers made from what they stand for, so that the same thing done twice has the same name.

use sha2::{Digest, Sha256};

/// The first 128 bits of the SHA-256 of `parts`, as 32 lower-case hexadecimal digits.
///
/// Each part goes in with its length before it (64 bits, big endian), so that no two lists of parts run together.
pub fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    hexadecimal(&digest(parts)[..16])
}

/// The first 32 bits of the same hash, as 8 digits: to tell apart names that otherwise would be one.
pub fn short_hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    hexadecimal(&digest(parts)[..4])
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[&str]) -> String {
        hash(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn a_hash_is_stable_and_32_digits_long() {
        // printf '\0\0\0\0\0\0\0\1a' | sha256sum
        assert_eq!(of(&["a"]), "3b196fd4907bedf51c3090e9835f2f7c");
        assert_eq!(of(&["a"]).len(), 32);
        assert_eq!(short_hash([b"a".as_slice()]), of(&["a"])[..8]);
    }

    #[test]
    fn parts_do_not_run_together() {
        let hashes = [of(&["ab", "c"]), of(&["a", "bc"]), of(&["abc"]), of(&["abc", ""]), of(&["", "abc"])];
        for (index, one) in hashes.iter().enumerate() {
            assert!(hashes[index + 1..].iter().all(|other| other != one));
        }
    }
}
