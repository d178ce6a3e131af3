//! A message and all it caused, drawn as a tree.

use std::time::Duration;

use crate::{
    bus::{Attempt, Path, Verdict, Visit},
    terminal::{Colour, Style, duration},
};

/// The lines of a tree whose root is `path`.
pub(super) fn tree(style: Style, path: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let trace = path
        .trace
        .as_deref()
        .map(|trace| style.paint(Colour::Dim, &format!("  trace {trace}")));
    lines.push(format!(
        "{}{}",
        message(style, path),
        trace.unwrap_or_default()
    ));
    below(style, path, "", &mut lines);
    lines
}

fn below(style: Style, path: &Path, indent: &str, lines: &mut Vec<String>) {
    if path.functions.is_empty() {
        lines.push(format!(
            "{indent}└─ {}",
            style.paint(Colour::Dim, "nobody hangs on this topic")
        ));
    }
    for (index, visit) in path.functions.iter().enumerate() {
        let (branch, next) = ends(index + 1 == path.functions.len());
        lines.push(format!("{indent}{branch}{}", line(style, visit)));
        let indent = format!("{indent}{next}");
        if let Verdict::DeadLetter { topic, reason } = &visit.verdict {
            let letter = format!("dead letter in {topic}: {reason}");
            lines.push(format!("{indent}{}", style.paint(Colour::Red, &letter)));
        }
        for (index, reply) in visit.replies.iter().enumerate() {
            let (branch, next) = ends(index + 1 == visit.replies.len());
            lines.push(format!("{indent}{branch}{}", message(style, reply)));
            below(style, reply, &format!("{indent}{next}"), lines);
        }
    }
}

/// What stands before a branch, and before the lines below it.
fn ends(is_last: bool) -> (&'static str, &'static str) {
    if is_last {
        ("└─ ", "   ")
    } else {
        ("├─ ", "│  ")
    }
}

fn message(style: Style, path: &Path) -> String {
    let id = if path.id.len() > 24 {
        format!("{}…", path.id.chars().take(12).collect::<String>())
    } else {
        path.id.clone()
    };
    format!(
        "{}  {}  {}",
        style.paint(Colour::Bold, &path.topic),
        path.ty,
        style.paint(Colour::Dim, &id)
    )
}

fn line(style: Style, visit: &Visit) -> String {
    let verdict = match &visit.verdict {
        Verdict::Pending => style.paint(Colour::Yellow, "waiting"),
        Verdict::Done => style.paint(Colour::Green, "done"),
        Verdict::Filtered => style.paint(Colour::Dim, "filtered"),
        Verdict::DeadLetter { .. } => style.paint(Colour::Red, "failed"),
    };
    let took = style.paint(Colour::Dim, &duration(visit.took));
    let attempts = match visit.attempts.as_slice() {
        []
        | [
            Attempt {
                status: Some(200..=299),
                ..
            },
        ] => String::new(),
        attempts => {
            let calls = attempts.iter().map(call).collect::<Vec<_>>().join(", ");
            let count = if attempts.len() == 1 {
                "1 call".to_owned()
            } else {
                format!("{} calls", attempts.len())
            };
            format!(
                "  {count}{}",
                style.paint(Colour::Dim, &format!(": {calls}"))
            )
        }
    };
    format!(
        "{}  {verdict}  {took}{attempts}",
        style.name(&visit.function)
    )
}

/// A call in a few words: how long after the message came it was made, its status, and after how long that came.
fn call(attempt: &Attempt) -> String {
    let made = match attempt.after {
        at_once if at_once < Duration::from_millis(1) => "0ms".to_owned(),
        later => duration(later),
    };
    let status = attempt
        .status
        .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
    format!("+{made} {status} after {}", duration(attempt.took))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(topic: &str, functions: Vec<Visit>) -> Path {
        Path {
            topic: topic.into(),
            offset: Some(1),
            id: "o-1".into(),
            source: "/s".into(),
            ty: "order".into(),
            subject: None,
            trace: None,
            functions,
        }
    }

    fn visit(
        function: &str,
        verdict: Verdict,
        statuses: &[Option<u16>],
        replies: Vec<Path>,
    ) -> Visit {
        let attempt = |(index, status): (usize, &Option<u16>)| Attempt {
            number: index as u32 + 1,
            after: Duration::from_millis(100 * index as u64),
            took: Duration::from_millis(1),
            status: *status,
            unanswered: status.is_none().then(|| "cut".to_owned()),
        };
        let attempts = statuses.iter().enumerate().map(attempt).collect();
        Visit {
            function: function.into(),
            verdict,
            received: None,
            attempts,
            took: Duration::from_millis(12),
            replies,
        }
    }

    #[test]
    fn a_tree_shows_who_got_what_and_what_came_of_it() {
        let letter = Verdict::DeadLetter {
            topic: "dead-letter.ns.b".into(),
            reason: "no".into(),
        };
        let replies = vec![
            path("left", vec![visit("b", letter, &[None, Some(503)], vec![])]),
            path("right", vec![]),
        ];
        let root = path(
            "orders",
            vec![
                visit("a", Verdict::Done, &[Some(200)], replies),
                visit("c", Verdict::Pending, &[], vec![]),
            ],
        );
        let expected = "\
orders  order  o-1
├─ a  done  12ms
│  ├─ left  order  o-1
│  │  └─ b  failed  12ms  2 calls: +0ms no answer after 1ms, +100ms 503 after 1ms
│  │     dead letter in dead-letter.ns.b: no
│  └─ right  order  o-1
│     └─ nobody hangs on this topic
└─ c  waiting  12ms";
        assert_eq!(tree(Style::default(), &root).join("\n"), expected);
    }
}
