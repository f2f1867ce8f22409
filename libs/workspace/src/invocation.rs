//! One git process: what it is given, what it may do, how long and how much.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::process::Command;
use tokio::sync::SemaphorePermit;

use crate::error::GitError;
use crate::git::Git;
use crate::process::{Completeness, Running, read_at_most, tail};

/// For work on this machine's disk. Fetches and archives bring their own.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(120);
/// For work on a whole history, which may have gigabytes.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(1800);
/// Lists of files are the longest output that we hold in memory.
const OUTPUT_LIMIT: usize = 64 << 20;

/// Settings that hold for every process, whatever a repository's own configuration says.
const SETTINGS: [&str; 17] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.symlinks=true",
    // Several of us may write refs of one repository: wait for each other's locks, in milliseconds.
    "core.filesRefLockTimeout=10000",
    "core.packedRefsTimeout=10000",
    "credential.helper=",
    "fetch.recurseSubmodules=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "transfer.fsckObjects=true",
    "commit.gpgSign=false",
];

/// Who signs what we commit.
const AUTHOR: (&str, &str) = ("Buildwright", "buildwright@localhost");

enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(File),
}

/// What a process mostly waits for.
enum Pace {
    Local,
    Network,
}

/// A git process to be: built up, then run by one of the last methods.
pub(crate) struct Invocation {
    git: Git,
    command: &'static str,
    git_dir: PathBuf,
    work_tree: Option<PathBuf>,
    settings: Vec<String>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    protocols: &'static str,
    input: Input,
    output: Option<File>,
    timeout: Duration,
    pace: Pace,
}

/// What a process that we waited for left behind.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    stderr: String,
}

impl Invocation {
    pub(crate) fn new(git: Git, command: &'static str, git_dir: &Path) -> Self {
        Self {
            git,
            command,
            git_dir: git_dir.to_owned(),
            work_tree: None,
            settings: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            protocols: "",
            input: Input::Nothing,
            output: None,
            timeout: LOCAL_TIMEOUT,
            pace: Pace::Local,
        }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn arg(self, arg: impl AsRef<OsStr>) -> Self {
        self.args([arg])
    }

    pub(crate) fn work_tree(mut self, tree: &Path) -> Self {
        self.work_tree = Some(tree.to_owned());
        self
    }

    /// One more `-c name=value`.
    pub(crate) fn setting(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The date of whatever this process commits.
    pub(crate) fn dated(self, when: DateTime<Utc>) -> Self {
        let date = format!("@{} +0000", when.timestamp().max(0));
        self.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date)
    }

    /// The transports it may use (`https`, `ssh`, `file`); without this, none.
    pub(crate) fn protocols(mut self, protocols: &'static str) -> Self {
        self.protocols = protocols;
        self
    }

    pub(crate) fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Input::Bytes(bytes.into());
        self
    }

    pub(crate) fn input_file(mut self, file: File) -> Self {
        self.input = Input::File(file);
        self
    }

    pub(crate) fn output_file(mut self, file: File) -> Self {
        self.output = Some(file);
        self
    }

    /// It may go through a whole history.
    pub(crate) fn of_histories(mut self) -> Self {
        self.timeout = HISTORY_TIMEOUT;
        self
    }

    /// It waits for somebody else's machine, up to `timeout`, and must not keep local work waiting, too.
    pub(crate) fn network(mut self, timeout: Duration) -> Self {
        (self.timeout, self.pace) = (timeout, Pace::Network);
        self
    }

    /// Runs it; it must end with status 0. Returns what it wrote.
    pub(crate) async fn stdout(self) -> Result<Vec<u8>, GitError> {
        let command = self.command;
        let finished = self.finish().await?;
        if finished.status.success() { Ok(finished.stdout) } else { Err(finished.failed(command)) }
    }

    /// Runs it to its end, whatever its status.
    pub(crate) async fn finish(mut self) -> Result<Finished, GitError> {
        let (command, after, git) = (self.command, self.timeout, self.git.clone());
        let _permit = self.permit(&git).await;
        let mut running = self.spawn()?;
        let whole = async {
            let (_, stdout, stderr, status) = tokio::join!(
                running.input.send(),
                read_at_most(running.stdout.as_mut(), OUTPUT_LIMIT),
                tail(running.stderr.as_mut()),
                running.child.wait(),
            );
            let pipe = |source| GitError::Pipe { command, source };
            let stdout = match stdout.map_err(pipe)? {
                (_, Completeness::Truncated) => {
                    return Err(GitError::TooMuchOutput { command, limit: OUTPUT_LIMIT });
                }
                (bytes, Completeness::Whole) => bytes,
            };
            Ok(Finished { status: status.map_err(pipe)?, stdout, stderr: stderr.map_err(pipe)? })
        };
        let result = tokio::time::timeout(after, whole).await;
        if matches!(result, Ok(Ok(_))) {
            running.group.disarm();
        }
        result.unwrap_or(Err(GitError::TimedOut { command, after }))
    }

    /// Runs it, but stops it once it has written `limit` bytes: what was cut off is not an error.
    pub(crate) async fn at_most(mut self, limit: usize) -> Result<(Vec<u8>, Completeness), GitError> {
        let (command, after, git) = (self.command, self.timeout, self.git.clone());
        let _permit = self.permit(&git).await;
        let mut running = self.spawn()?;
        let whole = async {
            let (_, stdout, stderr) = tokio::join!(
                running.input.send(),
                async {
                    let read = read_at_most(running.stdout.as_mut(), limit).await;
                    if !matches!(read, Ok((_, Completeness::Whole))) {
                        running.group.kill();
                    }
                    read
                },
                tail(running.stderr.as_mut()),
            );
            let pipe = |source| GitError::Pipe { command, source };
            let (stdout, completeness) = stdout.map_err(pipe)?;
            let status = running.child.wait().await.map_err(pipe)?;
            running.group.disarm();
            if completeness == Completeness::Whole && !status.success() {
                let stderr = stderr.map_err(pipe)?;
                return Err(Finished { status, stdout, stderr }.failed(command));
            }
            Ok((stdout, completeness))
        };
        tokio::time::timeout(after, whole).await.unwrap_or(Err(GitError::TimedOut { command, after }))
    }

    async fn permit<'a>(&self, git: &'a Git) -> Option<SemaphorePermit<'a>> {
        match self.pace {
            // The semaphore is never closed; were it, running unbounded is the lesser evil.
            Pace::Local => git.permits.acquire().await.ok(),
            Pace::Network => None,
        }
    }

    /// Starts it. The caller reads its output, and sees to its timeout.
    pub(crate) fn spawn(&mut self) -> Result<Running, GitError> {
        let (stdin, bytes) = match std::mem::replace(&mut self.input, Input::Nothing) {
            Input::Nothing => (Stdio::null(), None),
            Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
            Input::File(file) => (Stdio::from(file), None),
        };
        let stdout = self.output.take().map_or_else(Stdio::piped, Stdio::from);
        let mut command = self.command();
        command.stdin(stdin).stdout(stdout).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
        let child = command.spawn().map_err(GitError::Start)?;
        Ok(Running::new(child, bytes.unwrap_or_default()))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command.env_clear().env("PATH", &self.git.search_path);
        for setting in SETTINGS.iter().copied().chain(self.settings.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        command.arg(self.command).args(&self.args);
        let fixed = [
            // curl would otherwise send what the operator's ~/.netrc holds.
            ("HOME", "/dev/null"),
            ("LC_ALL", "C"),
            ("TZ", "UTC"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_SYSTEM", "/dev/null"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_ALLOW_PROTOCOL", self.protocols),
            ("GIT_AUTHOR_NAME", AUTHOR.0),
            ("GIT_AUTHOR_EMAIL", AUTHOR.1),
            ("GIT_COMMITTER_NAME", AUTHOR.0),
            ("GIT_COMMITTER_EMAIL", AUTHOR.1),
        ];
        command.envs(fixed).env("GIT_DIR", &self.git_dir).envs(self.env.iter().cloned());
        match &self.work_tree {
            Some(tree) => command.env("GIT_WORK_TREE", tree).current_dir(tree),
            None => command.current_dir("/"),
        };
        command
    }
}

impl Finished {
    pub(crate) fn failed(self, command: &'static str) -> GitError {
        GitError::Failed { command, status: self.status, stderr: self.stderr }
    }
}
