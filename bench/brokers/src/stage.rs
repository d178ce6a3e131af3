//! What both benches do with a broker: contenders beside the raw client, under names of their own.

use openfaas_bench::compare::{Pairs, median};

use crate::backlog::{Backlog, Figures};
use crate::broker::Broker;
use crate::contender::Contender;
use crate::error::Error;
use crate::latency::{self, Latency};
use crate::results::Results;
use crate::size::Size;

/// The topic that every measurement begins anew.
pub(crate) const BACKLOG: &str = "backlog";

/// A broker with a backlog, and what is seen there.
pub(crate) struct Stage<'a, B> {
    pub(crate) broker: B,
    pub(crate) size: &'a Size,
    pub(crate) results: &'a mut Results,
    /// Names that were given so far.
    names: usize,
}

/// A row of ours beside the raw client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Versus<'a> {
    /// What it is.
    pub(crate) what: &'a str,
    /// What the ratio has to be, of seven pairs; `None`: one pair.
    pub(crate) least: Option<f64>,
}

impl<'a, B: Broker> Stage<'a, B> {
    /// Starts the broker and fills the backlog.
    pub(crate) async fn set(size: &'a Size, results: &'a mut Results) -> Result<Self, Error> {
        eprintln!("{}: {} events", B::NAME, size.backlog);
        let broker = B::start().await?;
        broker.fill(BACKLOG, size.backlog).await?;
        results.remark(format!("{}: {}.", B::NAME, B::ABOUT));
        Ok(Self {
            broker,
            size,
            results,
            names: 0,
        })
    }

    /// A name that nobody had.
    pub(crate) fn name(&mut self) -> String {
        self.names += 1;
        format!("noop-{}", self.names)
    }

    /// The backlog, taken by these functions for as long as a measurement lasts.
    pub(crate) fn backlog(&self, functions: &[String]) -> Backlog {
        let name = |function: &String| B::name_of(function, BACKLOG);
        Backlog {
            topic: BACKLOG.to_owned(),
            names: functions.iter().map(name).collect(),
            events: self.size.backlog,
            warm_up: self.size.warm_up,
            span: Some(self.size.span),
        }
    }

    /// Measures contenders of ours and the raw client in turn. `ours` makes one that is this function on this topic. The
    /// figures of ours.
    pub(crate) async fn versus(
        &mut self,
        versus: Versus<'_>,
        ours: impl Fn(&B, &str, &str) -> Result<Contender, Error>,
    ) -> Result<Vec<Figures>, Error> {
        let pairs_wanted = versus.least.map_or(1, |_| self.size.pairs);
        let (mut pairs, mut raws, mut owns) = (Pairs::default(), Vec::new(), Vec::new());
        for _ in 0..pairs_wanted {
            let function = self.name();
            let backlog = self.backlog(std::slice::from_ref(&function));
            let raw = Contender::raw(&self.broker, BACKLOG, &backlog.names[0])?;
            raws.push(backlog.run(&self.broker, &raw).await?);
            let function = self.name();
            let backlog = self.backlog(std::slice::from_ref(&function));
            let own = ours(&self.broker, &function, BACKLOG)?.named(versus.what);
            owns.push(backlog.run(&self.broker, &own).await?);
            let (Some(raw), Some(own)) = (raws.last(), owns.last()) else {
                continue;
            };
            pairs.push(raw.per_second, own.per_second);
        }
        let what = format!("{}, {}", B::NAME, versus.what);
        self.results
            .ratio(&what, "raw client", &pairs, versus.least);
        let (mut raw_latency, mut own_latency) = (None, None);
        if versus.least.is_some() {
            let rate = median(owns.iter().map(|run| run.per_second)) * latency::SHARE;
            raw_latency = Some(
                self.latency(rate, |broker, function, topic| {
                    Contender::raw(broker, topic, &B::name_of(function, topic))
                })
                .await?,
            );
            own_latency = Some(self.latency(rate, ours).await?);
        }
        self.results
            .figures(format!("{what}: raw client beside it"), &raws, raw_latency);
        self.results.figures(what, &owns, own_latency);
        Ok(owns)
    }

    /// On a topic of its own.
    async fn latency(
        &mut self,
        rate: f64,
        contender: impl Fn(&B, &str, &str) -> Result<Contender, Error>,
    ) -> Result<Latency, Error> {
        let function = self.name();
        let topic = format!("latency-{function}");
        let name = B::name_of(&function, &topic);
        let contender = contender(&self.broker, &function, &topic)?;
        latency::measure(&self.broker, self.size, &contender, (&topic, &name), rate).await
    }
}
