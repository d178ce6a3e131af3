//! A topic: its messages, and what was stored in it lately.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::SystemTime;

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

    /// Nobody subscribes to it, and it holds no dead letters.
    pub(super) fn is_unread(&self) -> bool {
        self.durables.is_empty() && !self.kept
    }

    /// When its oldest message was stored, if it has one that may go for another to come.
    pub(super) fn oldest_unread(&self) -> Option<SystemTime> {
        let (_, oldest) = self.messages.first_key_value()?;
        oldest.time.filter(|_| self.is_unread())
    }

    /// Takes out a message, and says how many bytes that made free.
    pub(super) fn take_out(&mut self, offset: u64) -> usize {
        let message = self.messages.remove(&offset);
        message.map_or(0, |message| message.size())
    }

    /// Takes out the oldest message, and says how many bytes that made free.
    pub(super) fn take_oldest(&mut self) -> usize {
        let oldest = self.messages.pop_first();
        oldest.map_or(0, |(_, message)| message.size())
    }
}
