//! `buildwright up`, and what may not be left of it.

use crate::{Answer, Launch, Process, Sse, mentioning, processes, until};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ExitStatus},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const STOPS_WITHIN: Duration = Duration::from_secs(15);
/// So long may what a process started outlive it.
pub(crate) const CLEARED_WITHIN: Duration = Duration::from_secs(2);

/// A server with a data directory of its own.
pub struct Server {
    home: TempDir,
    launch: Launch,
    child: Child,
    address: String,
    http: reqwest::Client,
}

impl Server {
    /// Starts one; when this returns, it answers.
    pub async fn start(launch: Launch) -> Self {
        let home = tempfile::Builder::new().prefix("buildwright-blackbox-").tempdir().expect("a directory");
        Self::start_in(home, launch).await
    }

    /// Starts one in a directory; its data is kept in `data` there.
    pub async fn start_in(home: TempDir, launch: Launch) -> Self {
        // Only who talks TLS needs one, but the client asks for it when it is made.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let child = launch.spawn(&home.path().join("data"), &home.path().join("log"));
        let mut server = Self { home, launch, child, address: String::new(), http };
        server.wait_until_it_answers().await;
        server
    }

    async fn wait_until_it_answers(&mut self) {
        let (announced, pid) = (self.data_dir().join("server.json"), self.child.id());
        let mut child_ended = None;
        let (address, _) = until(STARTS_WITHIN, "the server announces itself", || {
            child_ended = child_ended.or_else(|| self.child.try_wait().expect("a child"));
            let announced = fs::read(&announced).ok();
            let said: Option<Value> = announced.and_then(|text| serde_json::from_slice(&text).ok());
            let address = said.filter(|said| said["pid"] == pid).map(|said| said["address"].clone());
            async move { address }
        })
        .await;
        assert!(child_ended.is_none(), "it ended: {child_ended:?}\n{}", self.log());
        address.as_str().expect("an address").clone_into(&mut self.address);
        assert_eq!(self.get("/healthz").await.status, 200);
        // It looks for programs before it greets: no process that it starts after that has to do with its start.
        let greeting = format!("http://{}", self.address);
        until(STARTS_WITHIN, "the greeting", || async { self.log().contains(&greeting).then_some(()) }).await;
    }

    /// Where its data is.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place beside the data, for the files of a test.
    #[must_use]
    pub fn beside(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Everything it has said.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// An URL of it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request that a test makes itself.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, self.url(path))
    }

    /// GET
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(self.url(path))).await
    }

    /// POST
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.http.post(self.url(path)).json(body)).await
    }

    /// Sends a request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        match request.send().await {
            Ok(response) => Answer::read(response).await,
            Err(error) => panic!("no answer: {error:?}\n{}", self.log()),
        }
    }

    /// Follows a stream of server-sent events after one of them.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn follow(&self, path: &str, last_event_id: Option<&str>) -> Sse {
        let mut request = self.http.get(self.url(path)).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        Sse::of(response)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Processor time it has used.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        processes::processor_time(self.pid())
    }

    /// Memory it holds, in KiB: all of it, and without the pages of files.
    #[must_use]
    pub fn memory_kib(&self) -> (u64, u64) {
        processes::memory_kib(self.pid())
    }

    /// The processes it has started, directly or not, that still live.
    #[must_use]
    pub fn workers(&self) -> Vec<Process> {
        workers(self.home.path(), self.pid())
    }

    /// Rises with every process that it started and that has ended.
    #[must_use]
    pub fn pages_of_ended_children(&self) -> u64 {
        processes::pages_of_ended_children(self.pid())
    }

    /// Waits until nothing that it started lives, and returns how long that took.
    pub async fn wait_until_nothing_works(&self, limit: Duration) -> Duration {
        let (home, own) = (self.home.path(), self.pid());
        let begun = Instant::now();
        loop {
            let left = workers(home, own);
            if left.is_empty() {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < limit, "still alive after {limit:?}: {left:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Ends it as a power failure would, and returns how long what it had started outlived it.
    pub async fn kill9(&mut self) -> Duration {
        kill(Pid::from_raw(self.pid()), Signal::SIGKILL).expect("it lives");
        self.child.wait().expect("a child");
        self.wait_until_nothing_works(CLEARED_WITHIN).await
    }

    /// Takes note that somebody else killed it.
    ///
    /// # Panics
    /// When nobody did.
    pub fn was_killed(&mut self) {
        let status = self.child.wait().expect("a child");
        assert!(!status.success(), "{status}");
    }

    /// Starts it again after its end.
    pub async fn restart(&mut self) {
        self.child = self.launch.spawn(&self.data_dir(), &self.home.path().join("log"));
        self.wait_until_it_answers().await;
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Panics
    /// When it does not.
    pub fn stop(&mut self, signal: Signal) -> ExitStatus {
        if self.child.try_wait().expect("a child").is_none() {
            kill(Pid::from_raw(self.pid()), signal).expect("it lives");
        }
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(asked.elapsed() < STOPS_WITHIN, "it does not stop");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn assert_nothing_is_left(&self) {
        let asked = Instant::now();
        loop {
            let left = workers(self.home.path(), self.pid());
            if left.is_empty() {
                break;
            }
            assert!(asked.elapsed() < CLEARED_WITHIN, "processes are left: {left:#?}");
            thread::sleep(Duration::from_millis(5));
        }
        let left = workspaces(&self.data_dir());
        assert!(left.is_empty(), "workspaces are left: {left:?}");
    }

    /// Workspaces that exist.
    #[must_use]
    pub fn workspaces(&self) -> Vec<PathBuf> {
        workspaces(&self.data_dir())
    }
}

fn workers(home: &Path, server: i32) -> Vec<Process> {
    let mut workers = mentioning(&home.display().to_string());
    workers.retain(|process| process.pid != server);
    workers
}

fn workspaces(data_dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(data_dir.join("workspaces")) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.child.kill();
            let _ = self.child.wait();
            println!("---- what the server said\n{}----", self.log());
            return;
        }
        let status = self.stop(Signal::SIGTERM);
        let log = self.log();
        assert!(status.success(), "it ended with {status}\n{log}");
        self.assert_nothing_is_left();
        assert!(!log.contains("panicked at"), "{log}");
    }
}
