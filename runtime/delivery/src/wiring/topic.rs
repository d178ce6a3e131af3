//! Names of topics: what each broker takes, and which subject covers which.

use super::Broker;

/// Whether everything published to `topic` also reaches a consumer of `pattern`: the same name, or a NATS pattern whose
/// `*` stands for one token and whose last `>` stands for one or more. `topic` may itself be a pattern; then the answer
/// is yes if the two have any subject in common.
pub fn covers(pattern: &str, topic: &str) -> bool {
    let (mut left, mut right) = (pattern.split('.'), topic.split('.'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
            (Some(one), Some(other)) if one == other || one == "*" || other == "*" => {}
            _ => return false,
        }
    }
}

/// Whether events can be published to a topic of this name, on this broker or on any.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn publishable(topic: &str, broker: Option<Broker>) -> Result<(), String> {
    match topic {
        "" => Err("an event is published to a topic; write its name".to_owned()),
        topic => check(topic, broker, Use::Output),
    }
}

/// The entries of a list by comma or white space; empty ones do not count.
pub(super) fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|entry| !entry.is_empty())
}

/// What a topic is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To be consumed: a NATS pattern will do.
    Input,
    /// To be published to: one name.
    Output,
}

/// Says what is wrong with a topic, if anything is.
pub(super) fn check(topic: &str, broker: Option<Broker>, used: Use) -> Result<(), String> {
    let pattern = topic.split('.').any(|token| matches!(token, "*" | ">"));
    if pattern && used == Use::Output {
        return Err(format!(
            "`{topic}` is a pattern, and events are published to one topic; write its name"
        ));
    }
    match broker {
        Some(Broker::Kafka) => kafka(topic),
        Some(Broker::Nats) => nats(topic),
        None if pattern => nats(topic),
        None => either(topic),
    }
}

/// Kafka's own rule: 1 to 249 of `[a-zA-Z0-9._-]`, and not `.` or `..` (org.apache.kafka.common.internals.Topic).
fn kafka(topic: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.is_empty()
        || topic.len() > 249
        || matches!(topic, "." | "..")
        || !topic.chars().all(legal)
    {
        return Err(format!(
            "Kafka has no topic `{topic}`; use 1 to 249 letters, digits, dots, dashes and underscores"
        ));
    }
    Ok(())
}

fn nats(topic: &str) -> Result<(), String> {
    either(topic)?;
    let tokens: Vec<&str> = topic.split('.').collect();
    if tokens.iter().any(|token| token.is_empty()) {
        return Err(format!(
            "the NATS subject `{topic}` has an empty token; put something between its dots"
        ));
    }
    if tokens[..tokens.len() - 1].contains(&">") {
        return Err(format!(
            "in the NATS subject `{topic}` something follows `>`; let `>` come last"
        ));
    }
    if tokens
        .iter()
        .any(|token| token.len() > 1 && token.contains(['*', '>']))
    {
        return Err(format!(
            "in the NATS subject `{topic}` a wildcard is part of a word; let `*` and `>` stand alone"
        ));
    }
    if tokens[0].starts_with('$') {
        return Err(format!(
            "the NATS subject `{topic}` is the server's own; begin it with another character than `$`"
        ));
    }
    Ok(())
}

fn either(topic: &str) -> Result<(), String> {
    if topic.len() > 249
        || topic
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || c == '=')
    {
        return Err(format!(
            "`{topic}` cannot be a topic; use at most 249 letters, digits, dots, dashes and underscores"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_nats_would_give_it() {
        for (pattern, topic, expected) in [
            ("orders", "orders", true),
            ("orders", "order", false),
            ("orders.*", "orders.eu", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.eu.new", false),
            ("orders.>", "orders.eu.new", true),
            ("orders.>", "orders", false),
            (">", "anything.at.all", true),
            ("*", "orders", true),
            ("*.eu", "orders.eu", true),
            ("*.eu", "orders.us", false),
            ("dead-letter.*.order", "dead-letter.openfaas-fn.order", true),
            (
                "dead-letter.*.order",
                "dead-letter.openfaas-fn.payment",
                false,
            ),
            ("orders.*", "*.eu", true),
            ("orders.eu", "orders.>", true),
        ] {
            assert_eq!(covers(pattern, topic), expected, "{pattern} {topic}");
        }
    }

    #[test]
    fn each_broker_has_its_own_names() {
        for (topic, nats, kafka) in [
            ("orders", true, true),
            ("orders.eu-1_a", true, true),
            ("orders.*", true, false),
            ("orders.>", true, false),
            (">.orders", false, false),
            ("a..b", false, true),
            ("orders*", false, false),
            ("$JS.API", false, false),
            ("größe", true, false),
            ("..", false, false),
        ] {
            assert_eq!(
                check(topic, Some(Broker::Nats), Use::Input).is_ok(),
                nats,
                "{topic} on NATS"
            );
            assert_eq!(
                check(topic, Some(Broker::Kafka), Use::Input).is_ok(),
                kafka,
                "{topic} on Kafka"
            );
        }
    }

    #[test]
    fn nothing_is_published_to_a_pattern() {
        assert!(check("orders.*", None, Use::Input).is_ok());
        assert_eq!(
            check("orders.*", None, Use::Output),
            Err(
                "`orders.*` is a pattern, and events are published to one topic; write its name"
                    .to_owned()
            )
        );
    }
}
