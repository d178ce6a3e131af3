//! What is finished of a partition: only the prefix of it can be committed.

use std::collections::BTreeSet;
use std::ops::Range;

/// The progress through one partition since it was assigned.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Given out and not finished.
    unfinished: BTreeSet<u64>,
    /// What comes is no earlier than this.
    came: u64,
    /// Everything before it was given out, or is not there: compacted, or the marker of a transaction.
    next: u64,
    /// Finished already, though it comes only now: by an earlier owner. In order.
    done: Vec<Range<u64>>,
}

impl Progress {
    /// From this offset on, where these are finished already.
    pub(super) fn new(offset: u64, done: Vec<Range<u64>>) -> Self {
        Self {
            unfinished: BTreeSet::new(),
            came: offset,
            next: offset,
            done,
        }
    }

    /// This one came: whether it is to be given out. It is not where it is finished, or given out and not finished.
    pub(super) fn came(&mut self, offset: u64) -> bool {
        if offset < self.came {
            return false;
        }
        // Before `next`, if it was said not to be there: then that was wrong, and so it may be of what follows.
        self.came = offset + 1;
        self.next = self.came;
        self.done.retain(|range| range.end > offset);
        if self.done.first().is_some_and(|range| range.start <= offset) {
            return false;
        }
        self.unfinished.insert(offset)
    }

    /// This one is finished; also before it came again.
    pub(super) fn finish(&mut self, offset: u64) {
        if offset < self.next {
            self.unfinished.remove(&offset);
            return;
        }
        let at = self.done.partition_point(|range| range.end <= offset);
        if self
            .done
            .get(at)
            .is_none_or(|range| !range.contains(&offset))
        {
            self.done.insert(at, offset..offset + 1);
        }
    }

    /// There is nothing more before this offset.
    pub(super) fn reached(&mut self, offset: u64) {
        self.next = self.next.max(offset);
        self.done.retain(|range| range.end > offset);
    }

    /// Everything before it is finished.
    pub(super) fn prefix(&self) -> u64 {
        self.unfinished.first().copied().unwrap_or(self.next)
    }

    /// What comes next is at this offset or later.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// How many are given out and not finished.
    pub(super) fn unfinished(&self) -> usize {
        self.unfinished.len()
    }

    /// How many of a log from `low` to before `high` are not finished, as far as offsets say.
    pub(super) fn lag(&self, low: u64, high: u64) -> u64 {
        let next = self.next.max(low);
        let done = self.done.iter().map(|range| {
            let end = range.end.min(high);
            end.saturating_sub(range.start.max(next))
        });
        self.unfinished.len() as u64 + high.saturating_sub(next).saturating_sub(done.sum())
    }

    /// What is finished past the prefix, in order.
    pub(super) fn done(&self) -> Vec<Range<u64>> {
        let mut done = Vec::new();
        let mut end = self.prefix();
        for unfinished in self.unfinished.iter().copied().chain([self.next]) {
            if end < unfinished {
                done.push(end..unfinished);
            }
            end = unfinished + 1;
        }
        done.extend(
            self.done
                .iter()
                .map(|range| range.start.max(self.next)..range.end),
        );
        done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn given(offset: u64, offsets: impl IntoIterator<Item = u64>) -> Progress {
        let mut progress = Progress::new(offset, Vec::new());
        for offset in offsets {
            assert!(progress.came(offset));
        }
        progress
    }

    #[test]
    fn the_prefix_never_passes_what_is_unfinished() {
        let mut progress = given(10, 10..20);
        progress.finish(11);
        progress.finish(12);
        assert_eq!(
            (progress.prefix(), progress.done().first()),
            (10, Some(&(11..13)))
        );
        progress.finish(10);
        assert_eq!((progress.prefix(), progress.done()), (13, vec![]));
        (13..20).for_each(|offset| progress.finish(offset));
        assert_eq!((progress.prefix(), progress.unfinished()), (20, 0));
    }

    #[test]
    fn what_compaction_took_holds_nothing_up() {
        let mut progress = given(10, [12, 17]);
        assert_eq!(progress.prefix(), 12);
        progress.finish(12);
        assert_eq!(progress.prefix(), 17);
        progress.finish(17);
        progress.reached(25);
        assert_eq!(progress.prefix(), 25);
    }

    #[test]
    fn what_comes_though_nothing_was_left_is_given_out() {
        let mut progress = given(10, [10]);
        progress.finish(10);
        progress.reached(20);
        assert!(progress.came(15) && !progress.came(12));
        assert_eq!(
            (progress.prefix(), progress.done()),
            (15, vec![]),
            "more may follow"
        );
        progress.finish(15);
        assert_eq!(progress.prefix(), 16);
    }

    #[test]
    fn what_an_earlier_owner_finished_is_not_given_out_again() {
        let mut progress = Progress::new(10, vec![11..13, 15..16]);
        let come: Vec<u64> = (10..18).filter(|offset| progress.came(*offset)).collect();
        assert_eq!(come, [10, 13, 14, 16, 17]);
        assert_eq!(progress.done(), [11..13, 15..16]);
        progress.finish(10);
        assert_eq!(progress.prefix(), 13);
    }

    #[test]
    fn everything_that_is_not_finished_is_lag() {
        let mut progress = Progress::new(10, vec![14..16, 17..18]);
        assert_eq!(progress.lag(0, 10), 0);
        assert_eq!(progress.lag(0, 20), 7);
        assert!(progress.came(10) && progress.came(11) && progress.came(12));
        progress.finish(11);
        assert_eq!(progress.lag(0, 20), 6, "10, 12, 13, 16, 18, 19");
        assert_eq!(
            progress.lag(18, 20),
            4,
            "what retention took is not there any more"
        );
        progress.finish(10);
        progress.finish(12);
        progress.reached(20);
        assert_eq!(progress.lag(0, 20), 0);
    }

    #[test]
    fn what_comes_twice_is_given_out_once() {
        let mut progress = given(0, 0..3);
        progress.finish(1);
        assert!(!progress.came(0), "it is held");
        assert!(!progress.came(1), "it is finished");
        assert_eq!(progress.prefix(), 0);
    }

    #[test]
    fn what_is_finished_before_it_comes_again_is_known_then() {
        let mut progress = Progress::new(5, Vec::new());
        progress.finish(7);
        progress.finish(6);
        progress.finish(3);
        let come: Vec<u64> = (5..9).filter(|offset| progress.came(*offset)).collect();
        assert_eq!(come, [5, 8]);
    }

    proptest! {
        /// Owners one after the other, each of which dies somewhere: nothing is left out, and with room enough in the
        /// metadata nothing that is finished comes again.
        #[test]
        fn owners_leave_each_other_exactly_what_is_unfinished(
            lives in prop::collection::vec(prop::collection::vec((any::<bool>(), 0..40_u64), 0..30), 1..6),
        ) {
            let mut finished = BTreeSet::new();
            let mut committed = (0, Vec::new());
            for life in lives {
                let mut progress = Progress::new(committed.0, committed.1);
                let mut fetch = committed.0;
                let mut held = BTreeSet::new();
                for (comes, which) in life {
                    if comes && fetch < 40 {
                        prop_assert_eq!(progress.came(fetch), !finished.contains(&fetch));
                        if !finished.contains(&fetch) {
                            held.insert(fetch);
                        }
                        fetch += 1;
                    } else if held.remove(&which) {
                        progress.finish(which);
                        finished.insert(which);
                    }
                    prop_assert!((0..progress.prefix()).all(|offset| finished.contains(&offset)));
                    let all = progress.done().into_iter().flatten().chain(0..progress.prefix());
                    prop_assert_eq!(all.collect::<BTreeSet<_>>(), finished.clone());
                }
                committed = (progress.prefix(), progress.done());
            }
        }
    }
}
