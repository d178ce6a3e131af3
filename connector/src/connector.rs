//! Follows the list of functions and keeps one delivery for each.

use std::sync::Arc;

use openfaas_delivery::broker;
use openfaas_delivery::engine::{Deliveries, Engine};
use openfaas_delivery::metrics::{DeliveryMetrics, MEASURE_EVERY};
use openfaas_delivery::target::Target;
use openfaas_delivery::wiring::Broker;
use openfaas_telemetry::Telemetry;
use openfaas_telemetry::metrics::Counter;
use tokio::time::MissedTickBehavior;

use crate::config::Config;
use crate::gateway::Gateway;
use crate::openfaas::OpenFaas;
use crate::status::Status;
use crate::wanted::List;

/// Who delivers, as functions and dead letters are told.
pub(crate) const NAME: &str = "openfaas-connector";

/// Who is told what happens.
type Observers = Arc<(Arc<Status>, (DeliveryMetrics, OpenFaas))>;

/// One connector between a broker and a gateway.
#[derive(Debug)]
pub struct Connector<B, T> {
    config: Config,
    kind: Broker,
    gateway: Gateway,
    status: Arc<Status>,
    deliveries: Deliveries<B, T, Observers>,
    failures: Counter,
    /// What was wrong with the last list, so that it is said once.
    wrong: Vec<String>,
}

impl<B: broker::Broker, T: Target> Connector<B, T> {
    /// A connector that delivers what `broker` has by calls through `target`.
    pub fn new(
        config: Config,
        kind: Broker,
        broker: B,
        target: T,
        telemetry: &Telemetry,
    ) -> (Self, Arc<Status>) {
        let metrics = telemetry.metrics();
        let status = Arc::new(Status::new(config.rebuild_interval, config.print_response));
        let openfaas = OpenFaas::new(metrics, kind, &config.group, &config.instance);
        let counts = (DeliveryMetrics::new(metrics), openfaas);
        let observer = Arc::new((Arc::clone(&status), counts));
        let system = match kind {
            Broker::Nats => "nats",
            Broker::Kafka => "kafka",
        };
        let engine = Engine::new(broker, target, observer)
            .named(NAME)
            .traced(telemetry, system)
            .measured(MEASURE_EVERY);
        let connector = Self {
            gateway: Gateway::new(&config.gateway, config.credentials.clone()),
            kind,
            status: Arc::clone(&status),
            deliveries: Deliveries::new(engine),
            failures: metrics.counter(
                "openfaas_connector_list_failures_total",
                "Times that the gateway did not list its functions; the last good list stays.",
                &[],
            ),
            wrong: Vec::new(),
            config,
        };
        (connector, status)
    }

    /// Follows the list until `shutdown`, then drains; so many inputs were cut.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> usize {
        let mut tick = tokio::time::interval(self.config.rebuild_interval);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                _ = tick.tick() => {}
            }
            tokio::select! {
                biased;
                () = &mut shutdown => break,
                () = self.rebuild() => {}
            }
        }
        self.status.draining();
        self.deliveries.drain().await
    }

    async fn rebuild(&mut self) {
        let functions = match self.gateway.functions().await {
            Ok(functions) => functions,
            Err(error) => {
                self.failures.add(1);
                let sentence = format!("the functions cannot be listed: {error}");
                self.status.not_listed(&sentence);
                return self.say(vec![sentence]);
            }
        };
        let list = List::of(&functions, self.kind, &self.config);
        let wirings = list.wanted.iter().map(|wanted| &wanted.delivery.wiring);
        self.status.listed(wirings);
        self.deliveries.fit(list.wanted);
        self.say(list.wrong);
    }

    /// Says what was not wrong already the last time.
    fn say(&mut self, wrong: Vec<String>) {
        for sentence in &wrong {
            if !self.wrong.contains(sentence) {
                tracing::warn!("{sentence}");
            }
        }
        self.wrong = wrong;
    }
}
