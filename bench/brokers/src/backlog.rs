//! Events a second, CPU and memory while a backlog is worked off.

use std::time::{Duration, Instant};

use crate::broker::Broker;
use crate::contender::{Contender, Process, Usage};
use crate::error::Error;

/// How long it may take until the first event is settled, and from one to the next.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is looked how many are settled.
const LOOK: Duration = Duration::from_millis(10);

/// What is taken, and until when that is watched.
#[derive(Debug, Clone)]
pub(crate) struct Backlog {
    /// The topic.
    pub(crate) topic: String,
    /// Under which names it is taken, each all of it.
    pub(crate) names: Vec<String>,
    /// Events in the topic.
    pub(crate) events: u64,
    /// From the first event that is settled to the first that is counted.
    pub(crate) warm_up: Duration,
    /// It is watched for so long after that, or until all is settled; `None`: until all is settled.
    pub(crate) span: Option<Duration>,
}

/// What was seen.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Figures {
    /// Events settled in a second.
    pub(crate) per_second: f64,
    /// Microseconds of CPU of the process for each of them.
    pub(crate) cpu: f64,
    /// At the end.
    pub(crate) usage: Usage,
    /// From the start of the process until all was settled, where that was seen.
    pub(crate) drained: Option<Duration>,
}

/// A look at it.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    settled: u64,
    cpu: f64,
}

impl Backlog {
    /// Starts a contender and watches it.
    pub(crate) async fn run<B: Broker>(
        &self,
        broker: &B,
        contender: &Contender,
    ) -> Result<Figures, Error> {
        eprintln!("{}, {}", B::NAME, contender.name);
        let mut process = contender.start()?;
        self.watch(broker, &contender.name, &mut process).await
    }

    /// Watches one that runs.
    pub(crate) async fn watch<B: Broker>(
        &self,
        broker: &B,
        name: &str,
        process: &mut Process,
    ) -> Result<Figures, Error> {
        let all = self.events * self.names.len() as u64;
        let started = Instant::now();
        let begin = Look {
            at: started,
            settled: 0,
            cpu: process.usage()?.cpu,
        };
        let mut looks: Vec<Look> = Vec::new();
        let drained = loop {
            let settled = self.settled(broker).await?;
            let at = Instant::now();
            let usage = process.usage()?;
            if looks
                .last()
                .map_or(settled > 0, |last| settled > last.settled)
            {
                looks.push(Look {
                    at,
                    settled,
                    cpu: usage.cpu,
                });
            }
            if settled >= all {
                break Some(at - started);
            }
            let first = looks.first().map(|first| first.at);
            let end = self
                .span
                .zip(first)
                .map(|(span, first)| first + self.warm_up + span);
            if end.is_some_and(|end| at >= end) {
                break None;
            }
            if looks.last().map_or(started, |last| last.at).elapsed() > PATIENCE {
                return Err(Error::Late {
                    name: name.to_owned(),
                    settled,
                    of: all,
                    within: PATIENCE,
                    said: process.last_words(),
                });
            }
            tokio::time::sleep(LOOK * self.names.len() as u32).await;
        };
        Ok(Figures {
            usage: process.usage()?,
            drained,
            ..Figures::of(begin, &looks, self.warm_up, drained.is_some())
        })
    }

    async fn settled<B: Broker>(&self, broker: &B) -> Result<u64, Error> {
        let mut settled = 0;
        for name in &self.names {
            settled += broker.settled(&self.topic, name).await?;
        }
        Ok(settled)
    }
}

impl Figures {
    /// From the first look after the warm-up to the last; from the beginning, where there are too few. Where all was settled
    /// the last look is left out if it can be: what is settled in steps was done some time before it was seen.
    fn of(begin: Look, looks: &[Look], warm_up: Duration, drained: bool) -> Self {
        let warm = looks.first().map(|first| first.at + warm_up);
        let counted = looks.iter().filter(|look| Some(look.at) >= warm);
        let mut counted: Vec<Look> = counted.copied().collect();
        if counted.len() < 2 {
            counted = [&[begin], looks].concat();
        }
        if drained && counted.len() > 2 {
            counted.pop();
        }
        let (Some(first), Some(last)) = (counted.first(), counted.last()) else {
            return Self::default();
        };
        let events = (last.settled - first.settled) as f64;
        Self {
            per_second: events / (last.at - first.at).as_secs_f64(),
            cpu: (last.cpu - first.cpu) * 1e6 / events,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_counted_after_the_warm_up_and_before_the_last_look() {
        let begin = Instant::now();
        let look = |seconds, settled, cpu| Look {
            at: begin + Duration::from_secs(seconds),
            settled,
            cpu,
        };
        let looks = [
            look(0, 1, 0.0),
            look(1, 100, 1.0),
            look(2, 300, 1.5),
            look(3, 500, 2.0),
            look(9, 600, 2.5),
        ];
        let second = Duration::from_secs(1);
        let figures = Figures::of(look(0, 0, 0.0), &looks, second, true);
        assert_eq!((figures.per_second, figures.cpu), (200.0, 2_500.0));
        let figures = Figures::of(look(0, 0, 0.0), &looks[..4], second, false);
        assert_eq!(figures.per_second, 200.0);
        let figures = Figures::of(look(0, 0, 0.0), &looks[2..3], second, true);
        assert_eq!(figures.per_second, 150.0);
    }
}
