//! Every annotation there is, for those who read, write, lint or document them.

/// An annotation that events know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Annotation {
    /// As written in `stack.yml`.
    pub name: &'static str,
    /// What may stand there.
    pub takes: &'static str,
    /// What holds where it is absent.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
}

/// Every annotation that events know, in the order in which guides list them.
pub const KNOWN: &[Annotation] = &[
    Annotation {
        name: TOPIC,
        takes: "one or several topics, by comma or white space",
        default: "the function consumes nothing",
        about: "What the function consumes; on NATS a subject, `*` and `>` included. OpenFaaS CE refuses a comma.",
    },
    Annotation {
        name: BROKER,
        takes: "`nats` or `kafka`",
        default: "whichever connector runs",
        about: "The broker its topics are on.",
    },
    Annotation {
        name: DOOR,
        takes: "`true` or `false`",
        default: "`false`",
        about: "Whether the function takes its events from that broker itself, so that no connector delivers to it.",
    },
    Annotation {
        name: REPLY_TOPIC,
        takes: "a list of `[type=]topic`, by comma or white space",
        default: "what it answers is not published",
        about: "Where its replies go: by event type, or to the one topic without a type.",
    },
    Annotation {
        name: DEAD_LETTER_TOPIC,
        takes: "a topic",
        default: "`dead-letter.<namespace>.<function>`",
        about: "Where an event goes that the function refuses or fails for good.",
    },
    Annotation {
        name: FILTER,
        takes: "`attribute=value`, several by comma; or CESQL; or a CloudEvents filter as JSON (`exact`, `prefix`, `suffix`, `all`, `any`, `not`, `sql`)",
        default: "every event",
        about: "Which events it wants; the others are settled without a call.",
    },
    Annotation {
        name: ORDER,
        takes: "`key` or `none`",
        default: "`key`",
        about: "Whether events of one key come one after the other, or all side by side.",
    },
    Annotation {
        name: START,
        takes: "`oldest`, `new` or an RFC 3339 time",
        default: "`oldest`",
        about: "Where it begins on a topic; read only when its durable or group is first made.",
    },
    Annotation {
        name: CONCURRENCY,
        takes: "a number from 1 to 10000",
        default: "`64`",
        about: "Calls in flight at once, per topic.",
    },
    Annotation {
        name: WINDOW,
        takes: "a number from 1 to 100000",
        default: "`1000`",
        about: "Events held at once, per topic, those that wait for a retry included.",
    },
    Annotation {
        name: BATCH_SIZE,
        takes: "a number from 1 to 10000",
        default: "`1`",
        about: "Events in one call at most; with 1 each is sent alone.",
    },
    Annotation {
        name: BATCH_LINGER,
        takes: "a duration (`50ms`, `2s`), at most `1m`",
        default: "`0s`",
        about: "How long the first event of a batch waits for others.",
    },
    Annotation {
        name: MAX_HOPS,
        takes: "a number from 1 to 1000",
        default: "`32`",
        about: "How many functions a chain may pass; one more makes a dead letter of the event.",
    },
    Annotation {
        name: FORMAT,
        takes: "`binary` or `structured`",
        default: "`binary`",
        about: "How events are written: attributes in headers, or one JSON document.",
    },
    Annotation {
        name: TRANSACTIONS,
        takes: "`true` or `false`",
        default: "`false`",
        about: "Whether its replies and the place of the event that they answer are one transaction, so that each reply is read once. Kafka only.",
    },
    Annotation {
        name: ATTEMPTS,
        takes: "a number from 1 to 1000",
        default: "`10`",
        about: "How many answers that ask for a retry make a dead letter of the event.",
    },
    Annotation {
        name: CODES,
        takes: "a list of statuses from 300 to 599 or classes (`5xx`), by comma or white space",
        default: "`408,409,425,429,5xx`",
        about: "Which statuses ask for a retry; a 503 with Retry-After always does.",
    },
    Annotation {
        name: MIN_WAIT,
        takes: "a duration (`500ms`, `1m30s`) or whole seconds",
        default: "`1s`",
        about: "The longest wait before the first retry; it doubles with each further one.",
    },
    Annotation {
        name: MAX_WAIT,
        takes: "a duration (`500ms`, `1m30s`) or whole seconds",
        default: "`1m`",
        about: "What that wait never passes.",
    },
];

pub(super) const TOPIC: &str = "topic";
pub(super) const BROKER: &str = "events.broker";
pub(super) const DOOR: &str = "events.door";
pub(super) const REPLY_TOPIC: &str = "events.reply-topic";
pub(super) const DEAD_LETTER_TOPIC: &str = "events.dead-letter-topic";
pub(super) const FILTER: &str = "events.filter";
pub(super) const ORDER: &str = "events.order";
/// The annotation that says where a function begins on a topic.
pub const START: &str = "events.start";
pub(super) const CONCURRENCY: &str = "events.concurrency";
pub(super) const WINDOW: &str = "events.window";
pub(super) const BATCH_SIZE: &str = "events.batch-size";
pub(super) const BATCH_LINGER: &str = "events.batch-linger";
pub(super) const MAX_HOPS: &str = "events.max-hops";
pub(super) const FORMAT: &str = "events.format";
pub(super) const TRANSACTIONS: &str = "events.transactions";
pub(super) const ATTEMPTS: &str = "com.openfaas.retry.attempts";
pub(super) const CODES: &str = "com.openfaas.retry.codes";
pub(super) const MIN_WAIT: &str = "com.openfaas.retry.min_wait";
pub(super) const MAX_WAIT: &str = "com.openfaas.retry.max_wait";

/// The environment variable by which a local runner says where its bus takes what functions publish.
pub const BUS: &str = "events_bus";

/// The environment variable that stands for an annotation inside a function: dots and dashes become underscores, and
/// `topic` is `events_topic`.
pub fn environment_name(annotation: &str) -> String {
    match annotation {
        TOPIC => "events_topic".to_owned(),
        other => other.replace(['.', '-'], "_"),
    }
}

/// An annotation that looks like one of [`KNOWN`] and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelt {
    /// As it is written.
    pub name: String,
    /// What was probably meant, if anything comes near.
    pub meant: Option<&'static str>,
}

/// Those of `names` that stand under `events.` or `com.openfaas.retry.` or come within two letters of a known one, and
/// are not known. Other people's annotations are none of ours.
pub fn misspelt<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<Misspelt> {
    names
        .into_iter()
        .filter(|name| KNOWN.iter().all(|known| known.name != *name))
        .filter_map(suspect)
        .collect()
}

fn suspect(name: &str) -> Option<Misspelt> {
    let lower = name.to_ascii_lowercase().replace('_', "-");
    let (distance, nearest) = KNOWN
        .iter()
        .map(|known| (distance(&lower, &known.name.replace('_', "-")), known.name))
        .min_by_key(|(distance, _)| *distance)?;
    let ours = lower.starts_with("events.") || lower.starts_with("com.openfaas.retry.");
    let near = distance <= if nearest == TOPIC { 1 } else { 2 };
    let guess = near || (ours && distance <= nearest.len() / 3);
    (ours || near).then(|| Misspelt {
        name: name.to_owned(),
        meant: guess.then_some(nearest),
    })
}

/// Levenshtein's distance, by bytes.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.bytes().enumerate() {
            let changed = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_annotation_has_an_environment_name_by_one_rule() {
        for (annotation, name) in [
            ("topic", "events_topic"),
            ("events.reply-topic", "events_reply_topic"),
            ("events.dead-letter-topic", "events_dead_letter_topic"),
            ("com.openfaas.retry.min_wait", "com_openfaas_retry_min_wait"),
        ] {
            assert_eq!(environment_name(annotation), name);
        }
        let mut names: Vec<String> = KNOWN
            .iter()
            .map(|known| environment_name(known.name))
            .collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), KNOWN.len());
    }

    #[test]
    fn a_misspelt_annotation_is_found_with_what_was_meant() {
        let meant = |name: &str| misspelt([name]).first().map(|found| found.meant);
        assert_eq!(
            meant("events.reply-topik"),
            Some(Some("events.reply-topic"))
        );
        assert_eq!(meant("events.replytopic"), Some(Some("events.reply-topic")));
        assert_eq!(meant("events.batch_size"), Some(Some("events.batch-size")));
        assert_eq!(meant("Events.Order"), Some(Some("events.order")));
        assert_eq!(meant("topics"), Some(Some("topic")));
        assert_eq!(
            meant("com.openfaas.retry.max-wait"),
            Some(Some("com.openfaas.retry.max_wait"))
        );
        assert_eq!(meant("events.something-else-entirely"), Some(None));
    }

    #[test]
    fn known_and_foreign_annotations_are_left_alone() {
        let foreign = [
            "com.openfaas.scale.min",
            "prometheus.io.scrape",
            "schedule",
            "team",
        ];
        assert_eq!(
            misspelt(KNOWN.iter().map(|known| known.name).chain(foreign)),
            []
        );
    }
}
