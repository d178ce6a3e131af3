use std::{sync::Arc, time::Duration};

#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::Kafka;
#[cfg(feature = "nats")]
use openfaas_delivery::nats::Nats;
use openfaas_delivery::{
    answer::RUNTIME,
    broker::Broker,
    engine::{Control, Delivery, Ended, Engine},
    metrics::{DeliveryMetrics, MEASURE_EVERY},
    wiring,
};
use tokio::task::JoinHandle;

use super::target::Inside;
use crate::{
    Config, Result,
    config::{Connection, Events},
    server::Server,
};

/// The deliveries of one function to itself; nothing, where its environment names no topic. Dropped, they end as if the
/// process had died.
pub(crate) struct Door(Option<Running>);

struct Running {
    control: Control,
    server: Arc<Server>,
    task: JoinHandle<Ended>,
}

/// The handler's own limit comes first: then it is the function that answers.
const LATER: Duration = Duration::from_secs(1);

// === impl Door ===

impl Door {
    /// Takes events as soon as the function is initialised.
    pub(crate) async fn open(server: &Arc<Server>, config: &Config) -> Result<Door> {
        let Some(Events {
            connection,
            wiring: Some(wiring),
        }) = &config.events
        else {
            return Ok(Door(None));
        };
        let mut delivery = Delivery::to(wiring.clone());
        delivery.door = true;
        delivery.timeout = server.exec_limit + LATER;
        delivery.drain_timeout = config.calls_drain();
        if let Some(limit) = config.max_inflight {
            delivery.wiring.concurrency = delivery.wiring.concurrency.min(limit);
        }
        let kind = connection.broker();
        tracing::info!("Events: {} from {}", wiring.topics.join(", "), kind.name());
        let running = match connection {
            #[cfg(feature = "nats")]
            Connection::Nats(settings) => {
                let nats = Nats::connect(settings).await;
                let nats = nats.map_err(|wrong| crate::Error::Broker(wrong.to_string()))?;
                Running::start(server, delivery, nats, kind)
            }
            #[cfg(feature = "kafka")]
            Connection::Kafka(settings) => {
                let kafka = Kafka::new((**settings).clone());
                Running::start(server, delivery, kafka, kind)
            }
        };
        Ok(Door(Some(running)))
    }

    /// Takes nothing more; what runs goes on.
    pub(crate) fn drain(&self) {
        if let Some(running) = &self.0 {
            running.control.drain();
            if !running.server.lifecycle.is_initialised() {
                running.task.abort();
            }
        }
    }

    /// Returns once all is settled, handed back or cut after [`drain`](Door::drain).
    pub(crate) async fn drained(&mut self) {
        let Some(running) = &mut self.0 else { return };
        if let Ok(Ended::Cut(inputs)) = (&mut running.task).await {
            tracing::warn!("drain_timeout is over: {inputs} events are cut; they come again");
        }
        self.0 = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

// === impl Running ===

impl Running {
    fn start<B: Broker>(
        server: &Arc<Server>,
        delivery: Delivery,
        broker: B,
        kind: wiring::Broker,
    ) -> Running {
        let telemetry = &server.shared.telemetry;
        let seen = (
            server.door.clone(),
            DeliveryMetrics::new(telemetry.metrics()),
        );
        let engine = Engine::new(broker, Inside(server.clone()), seen)
            .named(RUNTIME)
            .traced(telemetry, kind.name())
            .measured(MEASURE_EVERY);
        let control = Control::new();
        let (listening, waiting) = (control.clone(), server.clone());
        let task = tokio::spawn(async move {
            waiting.lifecycle.wait_for_service().await;
            engine.run(delivery, &listening).await
        });
        Running {
            control,
            server: server.clone(),
            task,
        }
    }
}
