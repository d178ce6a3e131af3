//! The table of functions that a run begins with.

use openfaas_stack::{Severity, Stack, lint};

use crate::{
    gateway::{Gateway, reachable},
    session::{SECRETS, Start},
    stack,
    terminal::{Colour, Console, shown, table},
};

/// Prints which functions there are, where each is called, and which topics it hangs on.
pub(super) fn print(
    console: &Console,
    stack: &Stack,
    gateway: &Gateway,
    starts: &[(String, Start)],
) {
    let style = console.style;
    let heading = ["FUNCTION", "STATE", "URL", "TOPICS"]
        .map(|text| style.paint(Colour::Dim, text))
        .to_vec();
    let mut rows = vec![heading];
    for (name, start) in starts {
        let state = match start {
            Start::Ready => style.paint(Colour::Green, "ready"),
            Start::Failed(_) => style.paint(Colour::Red, "failed"),
        };
        let url = format!("http://{}/function/{name}", reachable(gateway.address));
        rows.push(vec![style.name(name), state, url, topics(gateway, name)]);
    }
    console.line("");
    table(&rows).iter().for_each(|line| console.line(line));
    for (name, start) in starts {
        if let Start::Failed(why) = start {
            console.line(&format!(
                "{} {}",
                style.name(name),
                style.paint(Colour::Red, why)
            ));
        }
    }
    for spec in gateway.known.specs() {
        for secret in gateway.functions.host.secrets.missing(&spec.secrets) {
            let file = stack.root().join(SECRETS).join(&secret);
            let how = format!(
                "has no secret {secret}: write it to {} or `faas-cli secret create {secret}`",
                shown(&file)
            );
            console.note(&spec.service, &how);
        }
    }
    // Errors are told where they strike.
    for remark in lint::check(stack)
        .iter()
        .filter(|problem| problem.severity == Severity::Warning)
    {
        let span = remark.span;
        let place = format!("{}:{}:{}", stack.path.display(), span.line, span.column);
        let remedy = remark
            .remedy
            .as_deref()
            .unwrap_or("see `openfaas-local doctor`");
        let said = format!("{place}: {}; {remedy}", remark.message);
        console.line(&style.paint(Colour::Yellow, &said));
    }
    console.line("");
}

fn topics(gateway: &Gateway, name: &str) -> String {
    let wiring = gateway
        .known
        .get(name)
        .and_then(|spec| stack::wiring(spec).ok().flatten());
    let Some(wiring) = wiring else {
        return String::new();
    };
    let topics = wiring.topics.join(", ");
    if wiring.replies.is_empty() {
        topics
    } else {
        format!("{topics} → {}", wiring.replies)
    }
}
