//! One process of the product.

use crate::{Api, binaries::buildwright, launch::without_account, processes, until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

const STARTS_WITHIN: Duration = Duration::from_secs(30);
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// How a process of the product is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) args: Vec<OsString>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) data_dir: PathBuf,
    pub(crate) log: PathBuf,
}

impl Start {
    /// Starts it; everything it says goes to the log.
    pub(crate) fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(&self.log).expect("a log");
        let mut command = Command::new(buildwright());
        without_account(&mut command);
        command
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("buildwright starts")
    }
}

/// A process of the product with a data directory of its own. It may die and be started again.
#[derive(Debug)]
pub struct Instance {
    name: String,
    start: Start,
    child: Option<Child>,
    api: Api,
}

impl Instance {
    pub(crate) fn new(name: &str, start: Start) -> Self {
        Self { name: name.to_owned(), start, child: None, api: Api::new() }
    }

    /// What the tests call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.start.data_dir
    }

    /// Where it listens: with its API, or else with its health and its metrics.
    #[must_use]
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Everything it has said, in all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.start.log).unwrap_or_default()
    }

    /// Its process id, while it lives.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        self.child.as_ref().map(|child| i32::try_from(child.id()).expect("a process id"))
    }

    /// Processor time it has used, and the memory it holds, in KiB.
    ///
    /// # Panics
    /// When it does not live.
    #[must_use]
    pub fn used(&self) -> (Duration, u64) {
        let pid = self.pid().expect("it lives");
        (processes::processor_time(pid), processes::memory_kib(pid).0)
    }

    /// Workspaces that it has.
    #[must_use]
    pub fn workspaces(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.data_dir().join("workspaces")) else { return Vec::new() };
        entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
    }

    /// Whether it is at this attempt at a task of a build.
    #[must_use]
    pub fn is_at(&self, build: &str, task: usize, attempt: usize) -> bool {
        self.data_dir().join("workspaces").join(build).join(format!("task-{task}-{attempt}/tree")).exists()
    }

    /// Starts it; when this returns, it is ready.
    pub async fn start(&mut self) {
        self.spawn();
        self.wait_until_ready().await;
    }

    /// Starts it with more arguments, for this one of its lives; when this returns, it is ready.
    ///
    /// # Panics
    /// When it runs.
    pub async fn start_with(&mut self, more: &[&str]) {
        assert!(self.child.is_none(), "{} runs", self.name);
        let mut start = self.start.clone();
        start.args.extend(more.iter().map(OsString::from));
        self.child = Some(start.spawn());
        self.wait_until_ready().await;
    }

    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        self.child = Some(self.start.spawn());
    }

    pub(crate) async fn wait_until_ready(&mut self) {
        let announced = self.data_dir().join("server.json");
        let child = self.child.as_mut().expect("it runs");
        let (pid, mut ended) = (child.id(), None);
        let (address, _) = until(STARTS_WITHIN, &format!("{} announces itself", self.name), || {
            ended = child.try_wait().expect("a child");
            assert!(ended.is_none(), "{} ended: {ended:?}", self.name);
            let said: Option<Value> =
                fs::read(&announced).ok().and_then(|text| serde_json::from_slice(&text).ok());
            let address = said.filter(|said| said["pid"] == pid).map(|said| said["address"].clone());
            async move { address }
        })
        .await;
        self.api.is_now_at(address.as_str().expect("an address"));
    }

    /// Ends it as a power failure would.
    pub fn kill9(&mut self) {
        self.tell(Signal::SIGKILL);
        self.child.take().expect("it lives").wait().expect("a child");
    }

    /// Stops it without ending it. What it has started goes on.
    pub fn pause(&self) {
        self.tell(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.tell(Signal::SIGCONT);
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it does not live.
    pub fn tell(&self, signal: Signal) {
        let pid = self.pid().unwrap_or_else(|| panic!("{} does not live", self.name));
        kill(Pid::from_raw(pid), signal).expect("it lives");
    }

    /// How it ended, once it has.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("a child")?;
        self.child = None;
        Some(status)
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        self.tell(signal);
        self.wait()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait(&mut self) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.has_ended() {
                return status;
            }
            assert!(asked.elapsed() < STOPS_WITHIN, "{} does not stop", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
