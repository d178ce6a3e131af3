//! The source of whichever broker a plan has.

use std::time::Duration;

use super::bus::BusSource;
use crate::broker::{Demand, Position, Record, Source, SourceError, SourceEvent};
use crate::sim::group::GroupSource;

/// One open subscription.
pub(in crate::sim) enum AnySource {
    Bus(Box<BusSource>),
    Group(GroupSource),
}

impl Source for AnySource {
    async fn next(&self) -> SourceEvent {
        match self {
            Self::Bus(source) => source.next().await,
            Self::Group(source) => source.next().await,
        }
    }

    fn demand(&self, demand: Demand) {
        match self {
            Self::Bus(source) => source.demand(demand),
            Self::Group(source) => source.demand(demand),
        }
    }

    async fn settle(&self, position: &Position) -> Result<(), SourceError> {
        match self {
            Self::Bus(source) => source.settle(position).await,
            Self::Group(source) => source.settle(position),
        }
    }

    fn progress_every(&self) -> Option<Duration> {
        match self {
            Self::Bus(source) => source.progress_every(),
            Self::Group(_) => None,
        }
    }

    async fn progress(&self, positions: &[Position]) {
        if let Self::Bus(source) = self {
            source.progress(positions).await;
        }
    }

    async fn pending(&self, log: &str) -> Result<usize, SourceError> {
        match self {
            Self::Bus(source) => source.pending(log).await,
            // A partition comes in its order: nobody has to ask.
            Self::Group(_) => Ok(0),
        }
    }

    async fn lag(&self) -> Result<u64, SourceError> {
        match self {
            Self::Bus(source) => source.lag().await,
            Self::Group(source) => source.lag(),
        }
    }

    async fn record(&self, log: &str, record: &Record) -> Result<(), SourceError> {
        match self {
            Self::Bus(source) => source.record(log, record).await,
            Self::Group(source) => source.record(log, record).await,
        }
    }

    fn leave(&self, log: &str) {
        if let Self::Group(source) = self {
            source.leave(log);
        }
    }

    async fn close(&self) {
        match self {
            Self::Bus(source) => source.close().await,
            Self::Group(source) => source.close().await,
        }
    }
}
