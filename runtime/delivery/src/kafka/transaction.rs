//! Producers that store all of something or nothing. What is here blocks: it is for threads alone.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{Producer as _, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::check::TIMEOUT;
use super::producer::Reports;
use super::settings::Settings;
use crate::broker::OpenError;

/// Whether all that was sent has come is looked at that often.
const LOOK: Duration = Duration::from_millis(1);

/// What a user is to be allowed, as `kafka-acls.sh` has it behind `--transactional-id`.
pub(super) enum Allowed<'a> {
    /// This one.
    Only(&'a str),
    /// All that begin like this.
    All(&'a str),
}

impl fmt::Display for Allowed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Only(id) => f.write_str(id),
            Self::All(beginning) => write!(f, "{beginning} --resource-pattern-type prefixed"),
        }
    }
}

/// A producer of this id, which ends every other one of it and what that one has begun. `allowed` is what the user's rights
/// are to name: the id itself, or what several begin with.
///
/// # Errors
/// One sentence about why no transaction can begin.
pub(super) fn open(
    settings: &Settings,
    id: &str,
    allowed: &Allowed<'_>,
) -> Result<ThreadedProducer<Reports>, OpenError> {
    open_with(settings, id, allowed, &settings.transactional(id))
}

/// The same, sending no batches.
///
/// # Errors
/// As [`open`].
pub(super) fn open_one_by_one(
    settings: &Settings,
    id: &str,
    allowed: &Allowed<'_>,
) -> Result<ThreadedProducer<Reports>, OpenError> {
    let mut config = settings.transactional(id);
    config.set("batch.num.messages", "1");
    open_with(settings, id, allowed, &config)
}

fn open_with(
    settings: &Settings,
    id: &str,
    allowed: &Allowed<'_>,
    config: &ClientConfig,
) -> Result<ThreadedProducer<Reports>, OpenError> {
    let producer: ThreadedProducer<Reports> = config
        .create_with_context(Reports::default())
        .map_err(|error| OpenError::NotReady(error.to_string()))?;
    let initialised = insist(|| producer.init_transactions(TIMEOUT));
    initialised.map_err(|error| match error.rdkafka_error_code() {
        Some(Code::TransactionalIdAuthorizationFailed | Code::ClusterAuthorizationFailed) => OpenError::NotReady(format!(
            "transactions of `{id}` may not be begun by this user: `kafka-acls.sh --bootstrap-server {} --add --allow-principal User:NAME --operation Write --operation Describe --transactional-id {allowed}` allows them",
            settings.hosts
        )),
        _ => OpenError::Unavailable(format!(
            "no transaction of `{id}` can begin: {}",
            producer.context().explain(&error)
        )),
    })?;
    Ok(producer)
}

/// Commits what was begun.
///
/// # Errors
/// It is not committed, or [nobody knows](is_in_doubt).
pub(super) fn commit(producer: &ThreadedProducer<Reports>) -> Result<(), KafkaError> {
    let until = Instant::now() + TIMEOUT;
    // A commit that finds something on its way waits for a tenth of a second, however soon it is over.
    while producer.in_flight_count() > 0 && Instant::now() < until {
        thread::sleep(LOOK);
    }
    insist(|| producer.commit_transaction(TIMEOUT))
}

/// Does it again as long as that may help, within reason.
pub(super) fn insist(step: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let until = Instant::now() + TIMEOUT * 2;
    loop {
        match step() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && Instant::now() < until => {}
            other => return other,
        }
    }
}

/// Whether a step of a transaction that ended like this leaves open what became of it: it cannot be aborted any more.
pub(super) fn is_in_doubt(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(error) if error.is_fatal() || error.is_retriable())
}
