//! `--check` and `--create`: whether everything is there that deliveries need, a line each.

use std::sync::Arc;

use openfaas_delivery::broker::{Inspect, OpenError, Purpose};
use openfaas_delivery::wiring::{Broker, Wiring};

use crate::config::Config;
use crate::gateway::{Function, Gateway};
use crate::wanted::List;

/// Looks at gateway and broker, and says what it finds.
#[derive(Debug)]
pub struct Check<'a, B> {
    broker: &'a B,
    /// Makes what is missing.
    creates: bool,
    /// Something is not as it has to be.
    failed: bool,
}

impl<'a, B: Inspect> Check<'a, B> {
    /// Nothing looked at yet; `creates`: streams and topics that are missing are made.
    pub fn of(broker: &'a B, creates: bool) -> Self {
        Self {
            broker,
            creates,
            failed: false,
        }
    }

    /// Whether everything is as it has to be.
    pub async fn run(mut self, config: &Config, kind: Broker) -> bool {
        let functions = self.functions(config).await;
        if let Err(error) = self.broker.reach().await {
            self.wrong(&error.to_string());
            return false;
        }
        self.right("the broker answers");
        let list = List::of(&functions, kind, config);
        list.wrong.iter().for_each(|wrong| self.wrong(wrong));
        for wanted in &list.wanted {
            self.function(&wanted.delivery.wiring).await;
        }
        if list.wanted.is_empty() && !self.failed {
            self.right(match config.topics {
                None => "no function names a topic of this broker",
                Some(_) => "no function names one of `topics`, as it is written there",
            });
        }
        !self.failed
    }

    async fn functions(&mut self, config: &Config) -> Vec<Function> {
        let gateway = Gateway::new(&config.gateway, config.credentials.clone());
        match gateway.functions().await {
            Ok(functions) => {
                let count = functions.len();
                self.right(&format!("{} lists {count} functions", config.gateway));
                functions
            }
            Err(error) => {
                self.wrong(&format!("the functions cannot be listed: {error}"));
                Vec::new()
            }
        }
    }

    async fn function(&mut self, wiring: &Wiring) {
        let name = format!("{}.{}", wiring.function, wiring.namespace);
        for topic in &wiring.topics {
            self.topic(&format!("{name} takes {topic}"), topic, None)
                .await;
        }
        for topic in wiring.replies.topics() {
            let what = format!("{name} replies to {topic}");
            self.topic(&what, topic, Some(Purpose::Reply)).await;
        }
        let letters = wiring.dead_letter_topic();
        let what = format!("{name} leaves dead letters in {letters}");
        self.topic(&what, letters, Some(Purpose::DeadLetter)).await;
        if wiring.transactions && !self.broker.transactional() {
            self.wrong(&format!("{name}: {}", OpenError::no_transactions()));
        }
        match self.broker.denied(wiring).await {
            Ok(denied) => denied
                .iter()
                .for_each(|denied| self.wrong(&format!("{name}: {denied}"))),
            Err(error) => self.wrong(&format!("{name}: {error}")),
        }
    }

    async fn topic(&mut self, what: &str, topic: &str, purpose: Option<Purpose>) {
        let error = match self.found(topic, purpose).await {
            Ok(()) => return self.right(what),
            Err(error) => error,
        };
        if !self.creates || matches!(error, OpenError::Unavailable(_)) {
            return self.wrong(&format!("{what}: {error}"));
        }
        let made = match self.broker.create(topic, purpose).await {
            Ok(()) => self.found(topic, purpose).await,
            Err(error) => Err(error),
        };
        match made {
            Ok(()) => println!("made     {what}"),
            Err(error) => self.wrong(&format!("{what}: {error}")),
        }
    }

    async fn found(&self, topic: &str, purpose: Option<Purpose>) -> Result<(), OpenError> {
        match purpose {
            None => self.broker.find(topic).await,
            Some(purpose) => self.broker.check(&Arc::from(topic), purpose).await,
        }
    }

    fn right(&self, what: &str) {
        println!("ok       {what}");
    }

    fn wrong(&mut self, what: &str) {
        self.failed = true;
        println!("missing  {what}");
    }
}
