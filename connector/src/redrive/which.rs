//! By what letters are chosen.

use std::time::{Duration, SystemTime};

use clap::Args;
use openfaas_delivery::broker::Message;
use openfaas_delivery::dead_letter::Notes;
use openfaas_delivery::duration;

/// Those that are like all of this.
#[derive(Debug, Default, Args)]
pub(crate) struct Which {
    /// Only those of this function: its name, or NAME.NAMESPACE
    #[arg(long, value_name = "NAME")]
    pub(super) function: Option<String>,
    /// Only those whose reason holds this text
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
    /// Only those that are letters for longer than this, as 1h30m
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(super) older_than: Option<Duration>,
    /// Only those that are letters for no longer than this
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub(super) newer_than: Option<Duration>,
    /// Look into this topic and no other; can be given several times
    #[arg(long, value_name = "TOPIC")]
    pub(super) topic: Vec<String>,
}

impl Which {
    /// Whether a letter with these notes is one of them.
    pub(super) fn takes(&self, letter: &Message, notes: &Notes, now: SystemTime) -> bool {
        let since = notes.at().or(letter.time);
        let age = since.and_then(|since| now.duration_since(since).ok());
        let age = age.unwrap_or_default();
        let named = |name: &String| {
            *name == notes.function || *name == format!("{}.{}", notes.function, notes.namespace)
        };
        self.function.as_ref().is_none_or(named)
            && self
                .reason
                .as_ref()
                .is_none_or(|text| notes.reason.contains(text.as_str()))
            && self.older_than.is_none_or(|limit| age > limit)
            && self.newer_than.is_none_or(|limit| age <= limit)
    }
}

fn age(text: &str) -> Result<Duration, String> {
    duration::parse(text).ok_or_else(|| "it is a time such as 30s, 1h30m or 72h".to_owned())
}

#[cfg(test)]
mod tests {
    use openfaas_delivery::broker::Position;

    use super::*;

    #[test]
    fn a_letter_is_chosen_by_all_that_is_asked_for() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_260_800);
        let letter = Message {
            topic: "dead".into(),
            position: Position {
                log: "DEAD".into(),
                offset: 1,
            },
            time: None,
            key: None,
            headers: Vec::new(),
            body: None,
        };
        let notes = Notes {
            function: "order".into(),
            namespace: "openfaas-fn".into(),
            ..Notes::default()
        };
        let notes = notes.because("no customer 17", 3, now - Duration::from_secs(60), "me");
        let function = |name: &str| Which {
            function: Some(name.into()),
            ..Which::default()
        };
        let reason = |text: &str| Which {
            reason: Some(text.into()),
            ..Which::default()
        };
        let older = |seconds| Which {
            older_than: Some(Duration::from_secs(seconds)),
            ..Which::default()
        };
        let newer = |seconds| Which {
            newer_than: Some(Duration::from_secs(seconds)),
            ..Which::default()
        };
        for (which, expected) in [
            (Which::default(), true),
            (function("order"), true),
            (function("order.openfaas-fn"), true),
            (function("order.dev"), false),
            (function("orde"), false),
            (reason("customer"), true),
            (reason("Customer"), false),
            (older(59), true),
            (older(60), false),
            (newer(60), true),
            (newer(59), false),
            (
                Which {
                    newer_than: Some(Duration::from_secs(59)),
                    ..function("order")
                },
                false,
            ),
        ] {
            assert_eq!(which.takes(&letter, &notes, now), expected, "{which:?}");
        }
        let at_the_broker = Message {
            time: Some(now),
            ..letter
        };
        let bare = Notes::default();
        assert!(newer(1).takes(&at_the_broker, &bare, now));
        assert!(!older(1).takes(&at_the_broker, &bare, now));
    }
}
