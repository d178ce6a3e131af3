//! A topic: its messages, and what was stored in it lately.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use crate::broker::Message;
use crate::clock::Time;
use crate::wiring::Start;

/// One topic.
#[derive(Debug, Default)]
pub(super) struct Topic {
    pub(super) last: u64,
    pub(super) messages: BTreeMap<u64, Arc<Message>>,
    /// Never thins out by itself: dead letters.
    pub(super) kept: bool,
    pub(super) durables: Vec<Arc<str>>,
    pub(super) dedup: HashMap<String, u64>,
    pub(super) dedup_order: VecDeque<(Time, String)>,
}

impl Topic {
    pub(super) fn forget_before(&mut self, oldest: Time) {
        while self.dedup_order.front().is_some_and(|(at, _)| *at < oldest) {
            if let Some((_, id)) = self.dedup_order.pop_front() {
                self.dedup.remove(&id);
            }
        }
    }

    pub(super) fn starting_at(&self, start: Start) -> u64 {
        match start {
            Start::Oldest => self
                .messages
                .keys()
                .next()
                .copied()
                .unwrap_or(self.last + 1),
            Start::New => self.last + 1,
            Start::At(moment) => self
                .messages
                .iter()
                .find(|(_, message)| message.time.is_some_and(|time| time >= moment))
                .map_or(self.last + 1, |(offset, _)| *offset),
        }
    }
}
