//! What to pull: one request at a time, for as much as the engine demands.
//!
//! The next request waits for the end of the one before, so that what may still come is always known. A request ends
//! when all it asked for is here, or with a status of the server.

use async_nats::StatusCode;

use crate::broker::{Count, Demand};

/// More bytes than anybody has: no limit.
const ANY: u64 = 1 << 40;

/// What was demanded, what came, and the request that is out.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    demand: Demand,
    given: Count,
    out: Option<Out>,
    /// The room in bytes that was too little for the next message.
    too_little: Option<u64>,
    number: u64,
}

/// A request at the server.
#[derive(Debug)]
struct Out {
    number: u64,
    messages: u64,
    /// As the server counts them: with subjects.
    bytes: Option<u64>,
}

/// A request to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pull {
    /// Tells its statuses from those of earlier ones.
    pub(super) number: u64,
    pub(super) messages: u64,
    /// `None`: messages of any size.
    pub(super) bytes: Option<u64>,
}

/// What a status of the server means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing new.
    Alive,
    /// The request has ended; another one may follow.
    Ended,
    /// The consumer is not what it was.
    Broken,
}

impl Pulls {
    /// Replaces what was demanded.
    pub(super) fn demand(&mut self, demand: Demand) {
        self.demand = demand;
    }

    /// Whether a request is out.
    pub(super) fn is_out(&self) -> bool {
        self.out.is_some()
    }

    /// The request to send now, if there is room and none is out.
    pub(super) fn next(&mut self) -> Option<Pull> {
        let messages = self
            .demand
            .up_to
            .messages
            .saturating_sub(self.given.messages);
        let room = self.demand.up_to.bytes.saturating_sub(self.given.bytes);
        if self.out.is_some() || messages == 0 {
            return None;
        }
        let fits = room > 0 && self.too_little.is_none_or(|too_little| room > too_little);
        let any_size = self.demand.any_size_after == Some(self.given.messages);
        let (messages, bytes) = match (fits, any_size) {
            (true, _) => (messages, (room < ANY).then_some(room)),
            (false, true) => (1, None),
            (false, false) => return None,
        };
        self.number += 1;
        self.out = Some(Out {
            number: self.number,
            messages,
            bytes,
        });
        Some(Pull {
            number: self.number,
            messages,
            bytes,
        })
    }

    /// A message came, of this size here and of this size on the wire.
    pub(super) fn came(&mut self, size: usize, on_the_wire: usize) {
        self.given.add(size);
        self.too_little = None;
        let Some(out) = &mut self.out else { return };
        out.messages -= 1;
        if let Some(bytes) = &mut out.bytes {
            *bytes = bytes.saturating_sub(on_the_wire as u64);
        }
        if out.messages == 0 || out.bytes == Some(0) {
            self.out = None;
        }
    }

    /// A status came for the request of this number.
    pub(super) fn said(&mut self, number: u64, status: StatusCode, description: &str) -> Said {
        let current = self.out.as_ref().is_some_and(|out| out.number == number);
        match status {
            StatusCode::IDLE_HEARTBEAT => return Said::Alive,
            StatusCode::NO_RESPONDERS => return Said::Broken,
            _ if description.starts_with("Consumer ") || description.starts_with("Bad Request") => {
                return Said::Broken;
            }
            _ if !current => return Said::Alive,
            _ => {}
        }
        if description.contains("MaxBytes") {
            self.too_little = Some(self.demand.up_to.bytes.saturating_sub(self.given.bytes));
        }
        self.out = None;
        Said::Ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(messages: u64, bytes: u64, any_size_after: Option<u64>) -> Demand {
        Demand {
            up_to: Count { messages, bytes },
            any_size_after,
        }
    }

    #[test]
    fn one_request_is_out_at_a_time_and_the_next_takes_what_is_left() {
        let mut pulls = Pulls::default();
        assert_eq!(pulls.next(), None);
        pulls.demand(demand(2, 100, None));
        let first = pulls.next().unwrap();
        assert_eq!((first.messages, first.bytes), (2, Some(100)));
        assert_eq!(pulls.next(), None);
        pulls.demand(demand(5, 300, None));
        pulls.came(30, 40);
        assert_eq!(pulls.next(), None);
        pulls.came(30, 40);
        let second = pulls.next().unwrap();
        assert_eq!((second.messages, second.bytes), (3, Some(240)));
        assert_eq!(second.number, first.number + 1);
    }

    #[test]
    fn what_does_not_fit_waits_for_room_or_for_nothing_to_be_held() {
        let mut pulls = Pulls::default();
        pulls.demand(demand(5, 100, None));
        let first = pulls.next().unwrap();
        let status = StatusCode::from_u16(409).unwrap();
        let said = pulls.said(first.number, status, "Message Size Exceeds MaxBytes");
        assert_eq!(said, Said::Ended);
        assert_eq!(pulls.next(), None);
        pulls.demand(demand(5, 100, Some(0)));
        let any = pulls.next().unwrap();
        assert_eq!((any.messages, any.bytes), (1, None));
        pulls.came(500, 520);
        pulls.demand(demand(5, 700, None));
        assert_eq!(pulls.next().unwrap().bytes, Some(200));
    }

    #[test]
    fn a_late_status_of_an_earlier_request_ends_nothing() {
        let mut pulls = Pulls::default();
        pulls.demand(demand(1, 100, None));
        let first = pulls.next().unwrap();
        pulls.came(10, 20);
        pulls.demand(demand(2, 100, None));
        pulls.next().unwrap();
        let status = StatusCode::from_u16(409).unwrap();
        assert_eq!(
            pulls.said(first.number, status, "Batch Completed"),
            Said::Alive
        );
        assert!(pulls.is_out());
        assert_eq!(
            pulls.said(first.number, status, "Consumer Deleted"),
            Said::Broken
        );
    }
}
