//! The words that a plan is drawn in.

use std::time::Duration;

use crate::clock::{Random, Seeded};

/// A generator.
pub(super) struct Draw<'a>(pub(super) &'a mut Seeded);

impl Draw<'_> {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.next() % end.max(1)
    }

    pub(super) fn range(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    pub(super) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille
    }

    pub(super) fn millis(&mut self, first: u64, last: u64) -> Duration {
        Duration::from_millis(self.range(first, last))
    }

    pub(super) fn up_to(&mut self, longest: Duration) -> Duration {
        self.0.up_to(longest)
    }

    /// Mostly zero, else so much.
    pub(super) fn at_times(&mut self, per_mille: u64, most: u64) -> u64 {
        if self.chance(per_mille) {
            self.range(1, most)
        } else {
            0
        }
    }
}
