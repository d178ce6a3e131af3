//! Which reply goes to which topic.

use std::fmt;

use super::Broker;
use super::topic::{self, Use};

/// `events.reply-topic`: a list of `[type=]topic`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplyTopics(Vec<ReplyTopic>);

/// One entry of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyTopic {
    /// Replies of this type; `None`: those of every type that has no entry of its own.
    pub ty: Option<String>,
    /// Go here.
    pub topic: String,
}

impl ReplyTopics {
    /// Reads `payments`, or `payment.accepted=shipments, payment.declined=declined`, by comma or white space.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_for(text, None)
    }

    pub(super) fn parse_for(text: &str, broker: Option<Broker>) -> Result<Self, String> {
        let mut entries: Vec<ReplyTopic> = Vec::new();
        for entry in topic::split(text) {
            // A topic holds no `=`, a type may.
            let (ty, name) = entry
                .rsplit_once('=')
                .map_or((None, entry), |(ty, name)| (Some(ty), name));
            if name.is_empty() || ty.is_some_and(str::is_empty) {
                return Err(format!(
                    "in `{entry}` one side is empty; write `type=topic`, or a topic alone"
                ));
            }
            topic::check(name, broker, Use::Output)?;
            if entries.iter().any(|other| other.ty.as_deref() == ty) {
                return Err(match ty {
                    Some(ty) => format!("the type `{ty}` has two topics; keep one"),
                    None => {
                        format!("`{name}` is a second topic without a type; write `type={name}`")
                    }
                });
            }
            entries.push(ReplyTopic {
                ty: ty.map(str::to_owned),
                topic: name.to_owned(),
            });
        }
        Ok(Self(entries))
    }

    /// Where a reply of this type goes.
    pub fn route(&self, ty: &str) -> Option<&str> {
        let own = self.0.iter().find(|entry| entry.ty.as_deref() == Some(ty));
        own.or_else(|| self.0.iter().find(|entry| entry.ty.is_none()))
            .map(|entry| entry.topic.as_str())
    }

    /// Whether there is none: answers are not published.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries, in the order written.
    pub fn iter(&self) -> std::slice::Iter<'_, ReplyTopic> {
        self.0.iter()
    }

    /// Every topic, each once, in the order written.
    pub fn topics(&self) -> Vec<&str> {
        let mut topics = Vec::new();
        for entry in &self.0 {
            if !topics.contains(&entry.topic.as_str()) {
                topics.push(entry.topic.as_str());
            }
        }
        topics
    }
}

impl<'a> IntoIterator for &'a ReplyTopics {
    type Item = &'a ReplyTopic;
    type IntoIter = std::slice::Iter<'a, ReplyTopic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ReplyTopics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match &entry.ty {
                Some(ty) => write!(f, "{comma}{ty}={}", entry.topic)?,
                None => write!(f, "{comma}{}", entry.topic)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_topic_takes_every_reply() {
        let replies = ReplyTopics::parse("payments").unwrap();
        assert_eq!(replies.route("payment.accepted"), Some("payments"));
        assert_eq!(replies.route(""), Some("payments"));
    }

    #[test]
    fn a_type_has_a_topic_of_its_own_and_the_bare_one_is_for_the_rest() {
        let replies =
            ReplyTopics::parse("payment.accepted=shipments, audit payment.declined=declined")
                .unwrap();
        assert_eq!(replies.route("payment.accepted"), Some("shipments"));
        assert_eq!(replies.route("payment.declined"), Some("declined"));
        assert_eq!(replies.route("payment.other"), Some("audit"));
        assert_eq!(replies.topics(), ["shipments", "audit", "declined"]);
        assert_eq!(
            replies.to_string(),
            "payment.accepted=shipments,audit,payment.declined=declined"
        );
    }

    #[test]
    fn without_a_bare_topic_a_type_that_is_not_named_goes_nowhere() {
        let replies = ReplyTopics::parse("payment.accepted=shipments").unwrap();
        assert_eq!(replies.route("payment.declined"), None);
        assert_eq!(ReplyTopics::default().route("payment.accepted"), None);
    }

    #[test]
    fn a_type_may_hold_an_equals_sign() {
        let replies = ReplyTopics::parse("a=b=topic").unwrap();
        assert_eq!(replies.route("a=b"), Some("topic"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_remedy() {
        for (text, message) in [
            (
                "=payments",
                "in `=payments` one side is empty; write `type=topic`, or a topic alone",
            ),
            (
                "a=",
                "in `a=` one side is empty; write `type=topic`, or a topic alone",
            ),
            (
                "one two",
                "`two` is a second topic without a type; write `type=two`",
            ),
            ("a=one,a=two", "the type `a` has two topics; keep one"),
            (
                "out.*",
                "`out.*` is a pattern, and events are published to one topic; write its name",
            ),
        ] {
            assert_eq!(ReplyTopics::parse(text), Err(message.to_owned()));
        }
    }
}
