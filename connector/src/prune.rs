//! `prune`: durables and groups of functions that are gone are deleted.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
#[cfg(feature = "kafka")]
use openfaas_delivery::kafka::{self, Kafka};
use openfaas_delivery::leavings::{Leaving, Leavings};
#[cfg(feature = "nats")]
use openfaas_delivery::nats::{self, Nats};
use openfaas_delivery::wiring::Broker;

use crate::Config;
use crate::cli::{Done, From, environment};
use crate::gateway::{Gateway, ListError};
use crate::terminal::{agreed, say, table};

/// What to delete.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Where they left something
    #[arg(value_enum)]
    broker: From,
    /// Also of this namespace, though the gateway does not list it; can be given several times
    #[arg(long, value_name = "NAME")]
    namespace: Vec<String>,
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The functions that there are.
struct Present {
    namespaces: BTreeSet<String>,
    functions: BTreeSet<(String, String)>,
}

/// What functions left, by what becomes of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sorted {
    /// Of functions that are gone.
    gone: Vec<Leaving>,
    /// The same, and somebody consumes through it.
    in_use: Vec<Leaving>,
    /// Namespaces of which this gateway knows nothing.
    foreign: BTreeSet<String>,
}

pub(crate) async fn prune(options: Options) -> Done {
    match options.broker {
        #[cfg(feature = "nats")]
        From::Nats => {
            let config = Config::from_lookup(Broker::Nats, environment)?;
            let nats = Nats::connect(&nats::Config::from_lookup(environment)?).await?;
            at(&nats, &config, options).await
        }
        #[cfg(feature = "kafka")]
        From::Kafka => {
            let config = Config::from_lookup(Broker::Kafka, environment)?;
            let kafka = Kafka::new(kafka::Settings::from_lookup(environment)?);
            at(&kafka, &config, options).await
        }
    }
}

async fn at(broker: &impl Leavings, config: &Config, options: Options) -> Done {
    // Before the gateway: what a function that is deployed meanwhile makes is not among them.
    let leavings = broker.leavings().await?;
    let mut present = Present::ask(config).await?;
    present.namespaces.extend(options.namespace);
    let Sorted {
        gone,
        in_use,
        foreign,
    } = present.sort(leavings);
    for namespace in &foreign {
        eprintln!(
            "the gateway does not list the namespace {namespace}: what its functions left stays, unless --namespace names it"
        );
    }
    for leaving in &in_use {
        eprintln!(
            "{} stays: {}.{} is gone, and somebody consumes through it",
            leaving.name, leaving.function, leaving.namespace
        );
    }
    let row = |leaving: &Leaving| {
        let Leaving {
            namespace,
            function,
            name,
            place,
            ..
        } = leaving;
        vec![
            name.clone(),
            format!("{function}.{namespace}"),
            place.clone(),
        ]
    };
    let rows: Vec<_> = gone.iter().map(row).collect();
    for line in table(&rows) {
        say(&line)?;
    }
    let count = gone.len();
    if options.dry_run || count == 0 {
        say(&format!("{count} of functions that are gone"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let question = format!(
        "Delete these {count}? A function of the same name begins anew, as events.start says."
    );
    if !options.yes && !agreed(&question)? {
        say("nothing was deleted")?;
        return Ok(ExitCode::FAILURE);
    }
    for leaving in &gone {
        let forgotten = broker.forget(leaving).await;
        forgotten.map_err(|error| format!("{} stays: {error}", leaving.name))?;
    }
    say(&format!("{count} deleted"))?;
    Ok(ExitCode::SUCCESS)
}

impl Present {
    async fn ask(config: &Config) -> Result<Self, ListError> {
        let gateway = Gateway::new(&config.gateway, config.credentials.clone());
        let namespaces = gateway.namespaces().await?;
        let functions = gateway.functions_of(&namespaces).await?.into_iter();
        Ok(Self {
            namespaces: namespaces.into_iter().collect(),
            functions: functions.map(|f| (f.namespace, f.name)).collect(),
        })
    }

    fn sort(&self, leavings: Vec<Leaving>) -> Sorted {
        let mut sorted = Sorted::default();
        for leaving in leavings {
            let owner = (leaving.namespace.clone(), leaving.function.clone());
            if self.functions.contains(&owner) {
                continue;
            }
            if !self.namespaces.contains(&leaving.namespace) {
                sorted.foreign.insert(leaving.namespace);
            } else if leaving.in_use {
                sorted.in_use.push(leaving);
            } else {
                sorted.gone.push(leaving);
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_gone_unused_and_of_a_known_namespace_goes() {
        let present = Present {
            namespaces: ["fn".to_owned()].into(),
            functions: [("fn".to_owned(), "here".to_owned())].into(),
        };
        let leaving = |namespace: &str, function: &str, in_use| Leaving {
            namespace: namespace.to_owned(),
            function: function.to_owned(),
            name: format!("{namespace}_{function}_orders"),
            place: "ORDERS".to_owned(),
            in_use,
        };
        let sorted = present.sort(vec![
            leaving("fn", "here", false),
            leaving("fn", "gone", false),
            leaving("fn", "busy", true),
            leaving("staging", "here", false),
        ]);
        let expected = Sorted {
            gone: vec![leaving("fn", "gone", false)],
            in_use: vec![leaving("fn", "busy", true)],
            foreign: ["staging".to_owned()].into(),
        };
        assert_eq!(sorted, expected);
    }
}
