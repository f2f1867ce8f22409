//! A place to run in, and what to run.
#![allow(dead_code, reason = "each test binary uses its part")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

pub(crate) mod messages_api;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use buildwright_claude_cli::{ClaudeCli, Credential, Line, RunReport, RunRequest, Session, SessionId};
use supervisor::Supervisor;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

/// Two directories that are gone after the test.
pub(crate) struct Rig {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) cli: ClaudeCli,
    _slot: Option<SemaphorePermit<'static>>,
}

/// A CLI takes a second of processor to start; too many at a time and clocks mean nothing.
static SLOTS: Semaphore = Semaphore::const_new(3);

impl Rig {
    pub(crate) fn new(binary: PathBuf) -> Self {
        Self::within(&std::env::temp_dir(), binary)
    }

    pub(crate) fn within(parent: &Path, binary: PathBuf) -> Self {
        let dir = tempfile::tempdir_in(parent).unwrap();
        std::fs::create_dir(dir.path().join("work")).unwrap();
        let supervise = PathBuf::from(env!("CARGO_BIN_EXE_claude-cli-supervise"));
        Self { dir, cli: ClaudeCli::new(binary, Supervisor::new(supervise, Vec::new())), _slot: None }
    }

    /// With the real CLI.
    pub(crate) async fn real() -> Self {
        let slot = SLOTS.acquire().await.unwrap();
        Self { _slot: Some(slot), ..Self::new(real_cli()) }
    }

    /// With a shell script in its place.
    pub(crate) fn script(script: &str) -> Self {
        let mut rig = Self::new(PathBuf::new());
        rig.cli.binary = rig.dir.path().join("claude");
        write_script(&rig.cli.binary, script);
        rig
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    pub(crate) fn private(&self) -> PathBuf {
        self.dir.path().join("private")
    }

    pub(crate) fn request(&self, base_url: &str) -> RunRequest {
        let session = Session::New(SessionId::from_random(0xfeed));
        let credential = Credential::ApiKey { key: SECRET.into(), base_url: Some(base_url.to_owned()) };
        let mut request =
            RunRequest::new(self.work(), self.private(), "do it".into(), MODEL.into(), session, credential);
        request.env = vec![("PATH".into(), path())];
        request.max_retries = 0;
        request.timeout = Duration::from_secs(60);
        request.tools.allowed = vec!["Bash".into(), "Write".into()];
        request
    }

    pub(crate) async fn run(&self, request: &RunRequest) -> (RunReport, Vec<Line>) {
        let mut lines = Vec::new();
        let report = self.cli.run(request, &CancellationToken::new(), |line| lines.push(line.clone())).await;
        (report, lines)
    }

    /// Command lines of the processes of this rig's runs that are alive.
    pub(crate) fn alive(&self) -> Vec<String> {
        let mark = format!("CLAUDE_CONFIG_DIR={}", self.dir.path().display());
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let process = entry.ok()?.path();
            let environ = std::fs::read(process.join("environ")).ok()?;
            environ.split(|byte| *byte == 0).find(|variable| variable.starts_with(mark.as_bytes()))?;
            let line = std::fs::read(process.join("cmdline")).ok()?;
            Some(String::from_utf8_lossy(&line).replace('\0', " "))
        });
        processes.collect()
    }

    /// Waits until one of them has `part` in its command line.
    pub(crate) async fn sees(&self, part: &str) {
        let since = std::time::Instant::now();
        while !self.alive().iter().any(|line| line.contains(part)) {
            assert!(since.elapsed() < Duration::from_secs(20), "no {part} in {:#?}", self.alive());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(crate) const SECRET: &str = "sk-hunter2";
pub(crate) const MODEL: &str = "claude-sonnet-4-5";

pub(crate) fn write_script(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;

    // Not open for writing when it runs, even if another test forks meanwhile: written elsewhere.
    let script = format!("#!/bin/bash\n{script}\n");
    let made = std::process::Command::new("bash")
        .args(["-c", "printf %s \"$1\" > \"$0\""])
        .arg(path)
        .arg(&script)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "tests run programs of the machine")]
pub(crate) fn path() -> OsString {
    std::env::var_os("PATH").unwrap()
}

/// `BUILDWRIGHT_TEST_CLAUDE`, else the one that the test command installs below the target directory.
#[expect(clippy::disallowed_methods, reason = "how a test run is told which CLI to use")]
pub(crate) fn real_cli() -> PathBuf {
    let target = || {
        std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from)
    };
    let binary = std::env::var_os("BUILDWRIGHT_TEST_CLAUDE")
        .map_or_else(|| target().join("tools/claude-2.1.197/node_modules/.bin/claude"), PathBuf::from);
    assert!(
        binary.is_file(),
        "these tests run the real Claude CLI: set BUILDWRIGHT_TEST_CLAUDE, or \
         npm install --prefix target/tools/claude-2.1.197 @anthropic-ai/claude-code@2.1.197"
    );
    binary
}
