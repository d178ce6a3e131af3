//! What a decoder takes at most.

use crate::Error;

/// What a decoder takes at most; anything larger is refused before it is looked at.
///
/// CloudEvents asks of everyone to forward events of 64 KiB and less, so no limit should lie below that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one message's body, a batch's included.
    pub body: usize,
    /// Bytes of one event's attributes, names and values together.
    pub attributes: usize,
    /// Events of one batch.
    pub batch: usize,
}

impl Limits {
    /// These limits with another one for the body, in bytes.
    pub fn with_body(self, body: usize) -> Self {
        Self { body, ..self }
    }

    pub(crate) fn check_body(&self, size: usize) -> Result<(), Error> {
        within("a body (bytes)", size, self.body)
    }

    pub(crate) fn check_attributes(&self, size: usize) -> Result<(), Error> {
        within("attributes (bytes)", size, self.attributes)
    }

    pub(crate) fn check_batch(&self, size: usize) -> Result<(), Error> {
        within("a batch (events)", size, self.batch)
    }
}

impl Default for Limits {
    /// A body of 10 MiB, attributes of 64 KiB, 10,000 events in a batch.
    fn default() -> Self {
        Self {
            body: 10 << 20,
            attributes: 64 << 10,
            batch: 10_000,
        }
    }
}

fn within(what: &'static str, size: usize, limit: usize) -> Result<(), Error> {
    if size > limit {
        Err(Error::TooLarge { what, size, limit })
    } else {
        Ok(())
    }
}
