//! A real nats-server with JetStream on a free port, with data of its own, and what may befall it.

mod proxy;

pub use proxy::Proxy;

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The version that `scripts/fetch-nats-server` installs.
const FETCHED: &str = "tools/nats-server-2.15.1/bin/nats-server";

/// Starts a server and ends it when its standard input ends: when the test does, however it ends.
const WATCHED: &str = r#"program=$1; shift
"$program" "$@" </dev/null & echo $!
cat >/dev/null
kill -KILL $!
wait $!"#;

/// A nats-server. It ends with this value, and with the process.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    /// 0 before the first start: the server chooses one, and keeps it through restarts.
    port: u16,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    shell: Child,
    server: Pid,
}

impl Server {
    /// Starts a server with nothing in it.
    ///
    /// # Panics
    /// If there is none of version 2.10 or later, or it does not come up.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("nats-").tempdir().expect("a folder");
        let mut server = Self { folder, port: 0, running: None };
        server.start_again();
        server
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// The port on the loopback address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it again, on the same port, with what is left of its data.
    ///
    /// # Panics
    /// If it is running or does not come up.
    pub fn start_again(&mut self) {
        assert!(self.running.is_none(), "it is running");
        let began = Instant::now();
        // While it was away, another process may have taken its port for a moment.
        while !self.try_start() {
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(10), "nats-server did not come up:\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn try_start(&mut self) -> bool {
        let ports = self.folder.path().join("ports");
        let _ = fs::remove_dir_all(&ports);
        fs::create_dir_all(&ports).expect("a folder");
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let mut shell = Command::new("sh")
            .args(["-c", WATCHED, "sh"])
            .arg(program())
            .args(["--jetstream", "--addr", "127.0.0.1", "--port", &port, "--store_dir"])
            .arg(self.data())
            .arg("--ports_file_dir")
            .arg(&ports)
            .arg("--log")
            .arg(self.log())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut line).expect("its id");
        let server = Pid::from_raw(line.trim().parse().expect("a process id"));
        self.running = Some(Running { shell, server });
        match wait_for(&ports, server) {
            Some(port) => self.port = port,
            None => self.kill(),
        }
        self.running.is_some()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
    }

    /// Ends it on the spot.
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Removes everything that JetStream keeps: streams, consumers, messages. A server that runs goes on
    /// without its files.
    ///
    /// # Panics
    /// If something cannot be removed.
    pub fn wipe_data(&mut self) {
        let until = Instant::now() + Duration::from_secs(20);
        while let Err(error) = fs::remove_dir_all(self.data()) {
            // It may have made a file meanwhile.
            assert!(error.kind() == io::ErrorKind::DirectoryNotEmpty && Instant::now() < until, "{error}");
        }
    }

    /// Stops the process without ending it: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Where JetStream keeps everything.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn signal(&self, signal: Signal) {
        let running = self.running.as_ref().expect("it is running");
        kill(running.server, signal).expect("signalled");
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut running) = self.running.take() else { return };
        // The shell has not waited for it, so the id is its own until the shell has gone.
        let _ = kill(running.server, signal);
        let patience = Instant::now() + Duration::from_secs(10);
        while is_there(running.server) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        drop(running.shell.stdin.take());
        let _ = running.shell.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Signal::SIGKILL);
    }
}

/// Whether a process lives; one that has ended and is not waited for yet does not.
fn is_there(process: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{process}/stat")) {
        Ok(status) => !status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
        Err(_) if Path::new("/proc/self").exists() => false,
        Err(_) => kill(process, None).is_ok(),
    }
}

/// The port, from the file that the server writes when it takes connections; `None` if it ends instead.
fn wait_for(ports: &Path, server: Pid) -> Option<u16> {
    let patience = Instant::now() + Duration::from_secs(30);
    while is_there(server) && Instant::now() < patience {
        for file in fs::read_dir(ports).ok()?.flatten() {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let ports: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some((_, port)) = ports["nats"][0].as_str().and_then(|url| url.rsplit_once(':')) {
                return port.parse().ok();
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn program() -> PathBuf {
    let candidates = given().into_iter().chain([PathBuf::from("nats-server")]).chain(fetched());
    let mut seen = Vec::new();
    for program in candidates {
        match version(&program) {
            Some(version) if version >= (2, 10) => return program,
            other => seen.push(format!("{}: {other:?}", program.display())),
        }
    }
    panic!("no nats-server of version 2.10 or later: run scripts/fetch-nats-server. Looked at {seen:?}");
}

#[expect(clippy::disallowed_methods, reason = "which server to test with is told by the environment")]
fn given() -> Option<PathBuf> {
    std::env::var_os("BUILDWRIGHT_TEST_NATS_SERVER").map(PathBuf::from)
}

/// Tests lie somewhere below the target folder, and tools in it.
fn fetched() -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    test.ancestors().map(|folder| folder.join(FETCHED)).find(|program| program.exists())
}

fn version(program: &Path) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.trim().rsplit('v').next()?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}
