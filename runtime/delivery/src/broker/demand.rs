//! How much may come.

/// Messages and their bytes ([`Message::size`](super::Message::size)), counted since a subscription opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Messages.
    pub messages: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How much may come in all since the subscription opened: counted like this, what is on its way counts too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Demand {
    /// So much. A broker that cannot look ahead may pass the bytes by one message.
    pub up_to: Count,
    /// When exactly so many have come nothing is held: the next may be of any size.
    pub any_size_after: Option<u64>,
}

impl Count {
    /// One more message, of this size.
    pub fn add(&mut self, size: usize) {
        self.messages += 1;
        self.bytes = self.bytes.saturating_add(size as u64);
    }
}

impl Demand {
    /// Whether, after what was given so far, a message of this size may come.
    pub fn takes(&self, given: Count, size: usize) -> bool {
        let fits = given.bytes.saturating_add(size as u64) <= self.up_to.bytes;
        given.messages < self.up_to.messages
            && (fits || self.any_size_after == Some(given.messages))
    }
}
