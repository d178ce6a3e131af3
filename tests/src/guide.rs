//! Guides that a test follows: their fenced blocks are run, written to files or looked up where they say they are from.
//!
//! What a block is stands behind its language, where a reader does not see it:
//!
//! - `sh run`: run in the folder in which the block before it ended, as somebody would who types it
//! - `sh start`: the same in a terminal of its own, for a program that stays; the next such block, or the guide's end,
//!   presses Ctrl-C there
//! - `text output`: what the block before it prints, line by line and in order; `…` stands for whatever comes there. What a
//!   program that stays prints is waited for
//! - `LANGUAGE file=PATH`: written to that file, relative to the same folder
//! - `LANGUAGE from=PATH`: to be found in that file of this repository, whatever the indentation; a line `…` stands for any
//!   number of lines
//!
//! Every other block is left alone.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::runner::kill;
use crate::tools::repository;

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the language: `run`, `file=…`.
    pub purpose: String,
    /// What stands between the fences.
    pub text: String,
    /// The line of its opening fence, from 1.
    pub line: usize,
}

/// Somebody who follows a guide.
#[derive(Debug)]
pub struct Reader {
    /// Where the first command is typed.
    folder: PathBuf,
    environment: Vec<(String, String)>,
    /// What is read as something else, such as a port that is taken on a machine that runs tests.
    replaced: Vec<(String, String)>,
    /// Words of what is not there: commands with them are passed over, and so are lines of output.
    missing: Vec<String>,
}

/// A program that stays.
#[derive(Debug)]
struct Terminal {
    program: Child,
    printed: Arc<Mutex<String>>,
}

/// What a block printed.
enum Printed {
    /// All of it.
    Whole(String),
    /// So far.
    Growing(Arc<Mutex<String>>),
}

/// Longest time that one block may take: it may compile a function from nothing on a busy machine.
const PATIENCE: Duration = Duration::from_secs(900);

/// The blocks of a guide that have a purpose.
pub fn blocks(markdown: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = markdown.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```")
            .collect();
        if let Some((_, purpose)) = info.split_once(' ') {
            let text = text.iter().map(|line| format!("{line}\n")).collect();
            blocks.push(Block {
                purpose: purpose.to_owned(),
                text,
                line: number + 1,
            });
        }
    }
    blocks
}

// === impl Reader ===

impl Reader {
    /// Somebody who begins in this folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            environment: Vec::new(),
            replaced: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// Does not have this program, or what it would have made.
    #[must_use]
    pub fn without(mut self, program: &str) -> Self {
        self.missing.push(program.to_owned());
        self
    }

    /// Has this environment variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Reads `instead` wherever the guide says `text`.
    #[must_use]
    pub fn replacing(mut self, text: &str, instead: impl Into<String>) -> Self {
        self.replaced.push((text.to_owned(), instead.into()));
        self
    }

    /// Follows a guide of this repository to its end.
    ///
    /// # Panics
    /// Where a command fails, prints something else, or an excerpt is not where it is said to be from.
    pub fn follow(&self, guide: &str) {
        let markdown = fs::read_to_string(repository().join(guide)).unwrap();
        let mut folder = self.folder.clone();
        let mut printed = Printed::Whole(String::new());
        let mut terminal = None;
        let mut passed_over = false;
        for block in blocks(&markdown) {
            if block.purpose != "output" {
                passed_over = self
                    .missing
                    .iter()
                    .any(|program| block.text.contains(program.as_str()));
            }
            if passed_over {
                continue;
            }
            let place = format!("{guide}:{}", block.line);
            let text = self
                .replaced
                .iter()
                .fold(block.text, |text, (from, to)| text.replace(from, to));
            match block
                .purpose
                .split_once('=')
                .unwrap_or((&block.purpose, ""))
            {
                ("run", _) => printed = Printed::Whole(self.run(&place, &text, &mut folder)),
                ("start", _) => {
                    drop(terminal.take());
                    let started = Terminal::open(self.shell(&format!("exec {text}"), &folder));
                    printed = Printed::Growing(started.printed.clone());
                    terminal = Some(started);
                }
                ("output", _) => printed.assert_holds(&place, &self.printed_here(&text)),
                ("file", path) => fs::write(folder.join(path), text).unwrap(),
                ("from", path) => assert_excerpt(&place, &text, path),
                (other, _) => panic!("{place}: a block cannot be `{other}`"),
            }
        }
    }

    /// Runs commands in `folder`, which becomes the one they end in. What they print comes back.
    fn run(&self, place: &str, commands: &str, folder: &mut PathBuf) -> String {
        let last = self.folder.join(".folder");
        let script = format!("set -eu\n{commands}\npwd > {}\n", last.display());
        let output = self.shell(&script, folder).output().unwrap();
        let (stdout, stderr) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success(),
            "{place}: {}\n{commands}\n{stdout}\n{stderr}",
            output.status
        );
        *folder = fs::read_to_string(last).unwrap().trim_end().into();
        stdout.into_owned()
    }

    /// What of an output is printed where some programs are missing.
    fn printed_here(&self, output: &str) -> String {
        let of_the_missing = |line: &str| self.missing.iter().any(|word| line.contains(word));
        let lines = output.lines().filter(|line| !of_the_missing(line));
        lines.map(|line| format!("{line}\n")).collect()
    }

    fn shell(&self, script: &str, folder: &Path) -> Command {
        let mut shell = Command::new("timeout");
        let patience = PATIENCE.as_secs().to_string();
        shell
            .args([&patience, "bash", "-c", script])
            .current_dir(folder)
            .stdin(Stdio::null());
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        shell
    }
}

// === impl Terminal ===

impl Terminal {
    fn open(mut command: Command) -> Self {
        let mut program = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(program.stdout.take().unwrap()),
            Box::new(program.stderr.take().unwrap()),
        ];
        for stream in streams {
            let printed = printed.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    printed.lock().unwrap().push_str(&format!("{line}\n"));
                }
            });
        }
        Self { program, printed }
    }
}

/// Ctrl-C; `timeout` hands it on.
impl Drop for Terminal {
    fn drop(&mut self) {
        if matches!(self.program.try_wait(), Ok(None)) {
            kill(self.program.id(), Signal::INT);
            let _ = self.program.wait();
        }
    }
}

// === impl Printed ===

impl Printed {
    /// Fails where the lines of `expected` are not printed in this order, waiting for what may still come.
    fn assert_holds(&self, place: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (printed, growing) = match self {
                Self::Whole(printed) => (printed.clone(), false),
                Self::Growing(printed) => (printed.lock().unwrap().clone(), true),
            };
            let Some(missing) = missing(expected, &printed) else {
                return;
            };
            if !growing || Instant::now() > deadline {
                panic!("{place}: `{missing}` is not printed, or not in this order:\n{printed}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The first line of `expected` that is not printed after those before it. White space is all the same, and `…` may stand
/// for some of it.
fn missing(expected: &str, printed: &str) -> Option<String> {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut printed = printed.lines().map(words);
    let shown = expected
        .lines()
        .map(|line| words(line).replace(" …", "…").replace("… ", "…"));
    let shown = shown.filter(|line| !matches!(line.as_str(), "" | "…"));
    let mut missing = shown.skip_while(|line| printed.any(|printed| matches(line, &printed)));
    missing.next()
}

/// Whether a line is what a guide shows, where `…` stands for anything.
fn matches(shown: &str, line: &str) -> bool {
    let parts: Vec<&str> = shown.split('…').collect();
    let [first, middle @ .., last] = &parts[..] else {
        return shown == line;
    };
    let inside = line
        .strip_prefix(first)
        .and_then(|rest| rest.strip_suffix(last));
    let Some(mut rest) = inside else { return false };
    middle.iter().all(|part| {
        rest.split_once(part)
            .map(|(_, after)| rest = after)
            .is_some()
    })
}

fn assert_excerpt(place: &str, excerpt: &str, path: &str) {
    let file = fs::read_to_string(repository().join(path))
        .unwrap_or_else(|error| panic!("{place}: {path}: {error}"));
    let lines: Vec<&str> = file.lines().map(str::trim).collect();
    let mut from = 0;
    for part in excerpt.split("…\n") {
        let part: Vec<&str> = part.lines().map(str::trim).collect();
        let found = lines[from..]
            .windows(part.len().max(1))
            .position(|window| part.is_empty() || window == part);
        let Some(at) = found else {
            panic!("{place}: {path} does not hold\n{}", part.join("\n"))
        };
        from += at + part.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_without_a_purpose_are_left_alone() {
        let guide = "# Title\n```sh\nrm -rf /\n```\ntext\n```sh run\ntrue\n```\n```rust from=a/b.rs\nfn a() {}\n\n```\n";
        let purposes: Vec<_> = blocks(guide)
            .into_iter()
            .map(|block| (block.purpose, block.text, block.line))
            .collect();
        assert_eq!(
            purposes,
            [
                ("run".into(), "true\n".into(), 6),
                ("from=a/b.rs".into(), "fn a() {}\n\n".into(), 9)
            ]
        );
    }

    #[test]
    fn an_ellipsis_stands_for_anything() {
        for (shown, line, expected) in [
            ("built", "built", true),
            ("built", "built it", false),
            ("built …", "built it", true),
            ("… ok", "test a ok", true),
            ("… ok", "test a ok.", false),
            ("a … c … e", "a b c d e", true),
            ("a … e … c", "a b c d e", false),
        ] {
            assert_eq!(matches(shown, line), expected, "{shown}: {line}");
        }
    }

    #[test]
    fn commands_follow_one_another_and_what_they_print_is_compared() {
        let folder = tempfile::tempdir().unwrap();
        let reader = Reader::new(folder.path()).with("NAME", "Ferris");
        let mut at = folder.path().to_owned();
        let printed = reader.run(
            "here",
            "mkdir a && cd a && echo \"Hello,   $NAME\"",
            &mut at,
        );
        Printed::Whole(printed).assert_holds("here", "Hello, …\n");
        assert_eq!(at, folder.path().canonicalize().unwrap().join("a"));
    }

    #[test]
    fn a_table_is_what_it_is_however_wide() {
        let printed = "\nFUNCTION  STATE  URL\ngreet\tready   http://there\n{\"a\": 1}\n";
        let shown = "FUNCTION … STATE … URL\ngreet … ready …\n…\n{\"a\": …}\n";
        assert_eq!(missing(shown, printed), None);
        assert_eq!(
            missing("greet … failed …\n", printed).as_deref(),
            Some("greet…failed…")
        );
    }

    #[test]
    #[should_panic(expected = "is not printed")]
    fn what_is_not_printed_fails() {
        Printed::Whole("two\none\n".into()).assert_holds("here", "one\ntwo\n");
    }

    #[test]
    #[should_panic(expected = "does not hold")]
    fn what_is_not_in_the_file_fails() {
        assert_excerpt("here", "fn no_such_thing() {}\n", "tests/src/guide.rs");
    }
}
