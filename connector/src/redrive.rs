//! `redrive`: dead letters are listed, opened, put back and purged.
//!
//! - [`Options`]: the command line
//! - `which`: by what letters are chosen
//! - `chosen`: goes through them, topic after topic
//! - `consumers`: who would take what is put back
//! - `list`, `put_back`, `purge`: what is done with them

mod chosen;
mod consumers;
mod list;
mod options;
mod purge;
mod put_back;
mod which;

#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::{self, Kafka};
use openfaas_delivery::letters::LetterStore;
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{self, Nats};
use openfaas_delivery::wiring::Broker;

use self::chosen::Store;
use self::consumers::Consumers;
pub(crate) use self::options::Options;
use self::options::Verb;
use crate::Config;
use crate::cli::{Done, From, environment};

/// Does what was asked for. What was done before an error stays done.
pub(crate) async fn redrive(Options { broker, verb }: Options) -> Done {
    match broker {
        #[cfg(feature = "nats")]
        From::Nats => {
            let config = Config::from_lookup(Broker::Nats, environment)?;
            let nats = Nats::connect(&nats::Config::from_lookup(environment)?).await?;
            with(verb, nats, Broker::Nats, &config).await
        }
        #[cfg(feature = "kafka")]
        From::Kafka => {
            let config = Config::from_lookup(Broker::Kafka, environment)?;
            let kafka = Kafka::new(kafka::Settings::from_lookup(environment)?);
            with(verb, kafka, Broker::Kafka, &config).await
        }
    }
}

async fn with(verb: Verb, store: impl LetterStore, broker: Broker, config: &Config) -> Done {
    let consumers = Consumers::ask(config, broker).await;
    let store = Store::new(store, &consumers);
    match verb {
        Verb::List { which, json } => list::list(&store, which, json).await,
        Verb::Show { letter, json } => list::show(&store, letter, json).await,
        // Without a list nobody is known who would take anything.
        Verb::PutBack(options) => put_back::put_back(&store, options, &consumers?).await,
        Verb::Purge(options) => purge::purge(&store, options).await,
    }
}
