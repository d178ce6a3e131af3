//! Reads protobuf fields one by one.

/// A message that is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field says it is longer than the message around it, or a number never ends.
    #[error("the request ends in the middle of a field")]
    Truncated,
    /// A field of a type that does not exist, or not the one that OTLP gives it.
    #[error("field {0} is not of the type that OTLP gives it")]
    WireType(u32),
    /// Text that is not UTF-8.
    #[error("field {0} is not UTF-8")]
    Utf8(u32),
    /// A span without a valid trace id or span id.
    #[error("a span has no valid id")]
    Id,
    /// Values in values in values.
    #[error("an attribute is nested too deep")]
    Depth,
}

/// The fields of one message.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// One field.
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    value: Wire<'a>,
}

enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl<'a> Reader<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Only the fields of this number, and errors.
    pub(crate) fn numbered(
        self,
        number: u32,
    ) -> impl Iterator<Item = Result<Field<'a>, DecodeError>> {
        self.filter(move |field| field.as_ref().map_or(true, |field| field.number == number))
    }

    fn field(&mut self) -> Result<Field<'a>, DecodeError> {
        let key = self.varint()?;
        let number = u32::try_from(key >> 3).map_err(|_| DecodeError::Truncated)?;
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Wire::Bytes(self.take(len)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(DecodeError::WireType(number)),
        };
        Ok(Field { number, value })
    }

    fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::Truncated)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (first, rest) = self
            .rest
            .split_first_chunk()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (first, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub(crate) fn bytes(&self) -> Result<&'a [u8], DecodeError> {
        match self.value {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(DecodeError::WireType(self.number)),
        }
    }

    pub(crate) fn text(&self) -> Result<String, DecodeError> {
        let text = std::str::from_utf8(self.bytes()?);
        text.map(str::to_owned)
            .map_err(|_| DecodeError::Utf8(self.number))
    }

    pub(crate) fn varint(&self) -> Result<u64, DecodeError> {
        match self.value {
            Wire::Varint(value) => Ok(value),
            _ => Err(DecodeError::WireType(self.number)),
        }
    }

    pub(crate) fn fixed64(&self) -> Result<u64, DecodeError> {
        match self.value {
            Wire::Fixed64(value) => Ok(value),
            _ => Err(DecodeError::WireType(self.number)),
        }
    }

    pub(crate) fn fixed32(&self) -> Result<u32, DecodeError> {
        match self.value {
            Wire::Fixed32(value) => Ok(value),
            _ => Err(DecodeError::WireType(self.number)),
        }
    }
}
