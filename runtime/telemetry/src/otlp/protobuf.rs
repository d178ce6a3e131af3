//! The few protobuf wire shapes that OTLP is made of.
//!
//! Spans are written in their final form while they run, so that finishing one is a copy and exporting a batch is a
//! prefix: no tree of objects, no second pass.

/// How many bytes `value` takes as a varint.
#[inline]
pub(crate) fn varint_len(value: u64) -> usize {
    match value {
        ..0x80 => 1,
        _ => (64 - value.leading_zeros() as usize).div_ceil(7),
    }
}

/// How many bytes a string, bytes or message field of `len` bytes takes in all.
#[inline]
pub(crate) fn field_len(field: u32, len: usize) -> usize {
    varint_len(u64::from(field << 3)) + varint_len(len as u64) + len
}

/// A base 128 varint.
#[inline]
pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A varint field; zero is written too.
pub(crate) fn uint(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, 0);
    varint(out, value);
}

/// A field of eight bytes.
pub(crate) fn fixed64(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A field of four bytes.
pub(crate) fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    key(out, field, 5);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A `double` field.
pub(crate) fn double(out: &mut Vec<u8>, field: u32, value: f64) {
    fixed64(out, field, value.to_bits());
}

/// A string, bytes or message field.
#[inline]
pub(crate) fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    prefix(out, field, value.len());
    out.extend_from_slice(value);
}

/// What stands before a field of `len` bytes.
#[inline]
pub(crate) fn prefix(out: &mut Vec<u8>, field: u32, len: usize) {
    if field < 16 && len < 0x80 {
        out.extend_from_slice(&[(field << 3 | 2) as u8, len as u8]);
    } else {
        key(out, field, 2);
        varint(out, len as u64);
    }
}

#[inline]
fn key(out: &mut Vec<u8>, field: u32, wire_type: u32) {
    varint(out, u64::from(field << 3 | wire_type));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_long_as_they_say() {
        for (value, expected) in [
            (0, &[0][..]),
            (1, &[1]),
            (127, &[0x7f]),
            (128, &[0x80, 1]),
            (300, &[0xac, 2]),
            (
                u64::MAX,
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ),
        ] {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out, expected);
            assert_eq!(varint_len(value), expected.len());
        }
    }

    #[test]
    fn fields_carry_their_number_and_their_type() {
        let mut out = Vec::new();
        uint(&mut out, 16, 5);
        fixed32(&mut out, 1, 1);
        fixed64(&mut out, 2, 1);
        bytes(&mut out, 3, b"ab");
        let expected = b"\x80\x01\x05\x0d\x01\0\0\0\x11\x01\0\0\0\0\0\0\0\x1a\x02ab";
        assert_eq!(out, expected);
    }
}
