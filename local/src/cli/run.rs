//! The functions are built, started and served until a signal comes.

use std::{io, path::Path, process::ExitCode};

use serde_json::json;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::{Done, options::Run, signals::Signals, table};
use crate::{
    gateway::reachable,
    process::Line,
    session::{self, Session, Start},
    terminal::{Colour, Console},
};

pub(super) async fn run(options: Run) -> Done {
    let mut signals = Signals::catch()?;
    let console = Console::of_stdout();
    let stack = session::stack_file(options.yaml.clone(), Path::new("."))?;
    let ready_file = options.ready_file.clone();
    let mut session = Session::open(options.session(stack)?, console.clone()).await?;
    console.line(&format!(
        "gateway  http://{}",
        reachable(session.gateway.address)
    ));
    let logs = session.gateway.functions.host.logs.follow();
    tokio::select! {
        biased;
        () = signals.wait() => {}
        starts = session.start() => {
            table::print(&console, &session.stack, &session.gateway, &starts);
            if let Some(file) = &ready_file {
                write_at_once(file, &ready(&session, &starts))?;
            }
            tokio::select! {
                biased;
                () = signals.wait() => {}
                () = show(&console, logs) => {}
                how = session.unguarded() => {
                    let lost = format!("the process that clears up after this one {how}");
                    console.line(&console.style.paint(Colour::Red, &lost));
                }
            }
        }
    }
    if let Some(file) = &ready_file
        && let Err(error) = std::fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        console.line(&format!("cannot remove {}: {error}", file.display()));
    }
    console.progress(None);
    console.line(
        &console
            .style
            .paint(Colour::Dim, "draining; once more to leave at once"),
    );
    end(session, &mut signals).await
}

/// Ends a session in order, or, when another signal comes, leaves all to the guard.
async fn end(session: Session, signals: &mut Signals) -> Done {
    tokio::select! {
        biased;
        () = signals.wait() => {}
        () = session.end() => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that somebody waits for: it is there with all that is in it, or not.
fn write_at_once(path: &Path, text: &str) -> io::Result<()> {
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".fresh");
    std::fs::write(&fresh, text)?;
    std::fs::rename(fresh, path)
}

/// What the ready file holds.
fn ready(session: &Session, starts: &[(String, Start)]) -> String {
    let functions: serde_json::Map<_, _> = starts
        .iter()
        .map(|(name, start)| match start {
            Start::Ready => (name.clone(), json!("ready")),
            Start::Failed(why) => (name.clone(), json!(why)),
        })
        .collect();
    let gateway = format!("http://{}", reachable(session.gateway.address));
    json!({ "gateway": gateway, "pid": std::process::id(), "functions": functions }).to_string()
}

/// Prints what functions write.
async fn show(console: &Console, mut logs: Receiver<Line>) {
    let style = console.style;
    let mut width = 0;
    loop {
        match logs.recv().await {
            Ok(line) => {
                width = width.max(line.name.len());
                let space = " ".repeat(width - line.name.len());
                console.line(&format!(
                    "{}{space} {} {}",
                    style.name(&line.name),
                    style.paint(Colour::Dim, "│"),
                    line.text
                ));
            }
            Err(RecvError::Lagged(count)) => {
                console.line(&style.paint(
                    Colour::Dim,
                    &format!("… {count} lines were too many to show"),
                ));
            }
            Err(RecvError::Closed) => return,
        }
    }
}
