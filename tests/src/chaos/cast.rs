//! The processes of a run, each started again some time after it ended.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// All processes.
#[derive(Debug)]
pub(super) struct Cast {
    actors: Vec<Actor>,
    random: fastrand::Rng,
    /// Where they leave what they say, a file each.
    folder: PathBuf,
}

/// One process.
#[derive(Debug)]
struct Actor {
    name: String,
    program: PathBuf,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    child: Option<Child>,
    /// When it may start.
    due: Instant,
    /// How often it ended by itself.
    deaths: usize,
}

impl Cast {
    /// Nobody yet.
    pub(super) fn new(folder: &Path, seed: u64) -> Self {
        Self {
            actors: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
            folder: folder.to_owned(),
        }
    }

    /// One more, which has a folder of its own for what it needs.
    pub(super) fn add(
        &mut self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        environment: Vec<(String, String)>,
    ) {
        let own = self.folder.join(name);
        fs::create_dir_all(&own).expect("a folder");
        let own = ("TMPDIR".to_owned(), own.display().to_string());
        self.actors.push(Actor {
            name: name.to_owned(),
            program: program.to_owned(),
            arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
            environment: environment.into_iter().chain([own]).collect(),
            child: None,
            due: Instant::now(),
            deaths: 0,
        });
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.actors.len()
    }

    /// Starts again who has ended for long enough.
    pub(super) fn tend(&mut self) {
        for actor in &mut self.actors {
            let ended = match &mut actor.child {
                Some(child) => child.try_wait().expect("a child").is_some(),
                None => false,
            };
            if ended {
                actor.child = None;
                actor.deaths += 1;
                actor.due = Instant::now() + pause(&mut self.random);
            }
            if actor.child.is_none() && Instant::now() >= actor.due {
                actor.start(&self.folder);
            }
        }
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self, index: usize) -> &str {
        let actor = &mut self.actors[index];
        actor.end();
        actor.due = Instant::now() + pause(&mut self.random);
        &actor.name
    }

    /// How often processes ended by themselves.
    pub(super) fn deaths(&self) -> usize {
        self.actors.iter().map(|actor| actor.deaths).sum()
    }
}

/// How long a process is away.
fn pause(random: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(random.u64(100..1500))
}

impl Actor {
    fn start(&mut self, folder: &Path) {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{}.log", self.name)))
            .expect("a log");
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("it starts");
        self.child = Some(child);
    }

    fn end(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it can be killed");
            child.wait().expect("it ends");
        }
    }
}

impl Drop for Cast {
    fn drop(&mut self) {
        self.actors.iter_mut().for_each(Actor::end);
    }
}
