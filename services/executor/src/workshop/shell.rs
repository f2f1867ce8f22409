//! Commands and checks: `sh -c`, supervised, with no secret in reach.

use super::failures::Step;
use crate::output::Output;
use domain::Failure;
use ports::OutputStream;
use std::{collections::VecDeque, ffi::OsString, path::Path, time::Duration};
use supervisor::{CommandSpec, Exit, Stdin, Supervisor};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio_util::sync::CancellationToken;

/// Longest line that is kept whole, in bytes.
const LINE_BYTES: u64 = 64 << 10;
/// Lines of output that a failure shows.
const TAIL_LINES: usize = 5;

/// Runs shell commands.
#[derive(Debug, Clone)]
pub struct Shell {
    /// What holds their processes.
    pub supervisor: Supervisor,
    /// The environment all commands get: `PATH`, the locale; no credentials.
    pub environment: Vec<(OsString, OsString)>,
    /// From interrupt to kill.
    pub grace: Duration,
}

/// How a command ended.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Whether its time was over.
    pub(crate) timed_out: bool,
    /// Its last lines.
    pub(crate) last: VecDeque<String>,
}

impl Ended {
    /// The last lines, for the end of a message.
    pub(super) fn tail(&self) -> String {
        let lines: Vec<&str> = self.last.iter().map(String::as_str).collect();
        if lines.is_empty() { String::new() } else { format!(": {}", lines.join(" | ")) }
    }
}

impl Shell {
    pub(crate) async fn run(
        &self,
        command: &str,
        tree: &Path,
        private: &Path,
        timeout: Duration,
        output: &Output,
        stop: &CancellationToken,
    ) -> Result<Ended, Failure> {
        let mut env = self.environment.clone();
        let home = private.join("home");
        tokio::fs::create_dir_all(&home).await.map_err(Step::from)?;
        env.push(("HOME".into(), home.into()));
        env.push(("TMPDIR".into(), private.into()));
        let spec = CommandSpec {
            program: "sh".into(),
            args: vec!["-c".into(), command.into()],
            cwd: tree.to_owned(),
            env,
            stdin: Stdin::Null,
            grace: self.grace,
        };
        output.line(OutputStream::System, format!("$ {command}"));
        let (mut running, streams) = self.supervisor.start(&spec).await.map_err(Step::from)?;
        let mut ended = Ended::default();
        let mut reading = Box::pin(async {
            tokio::join!(
                read(streams.stdout, OutputStream::Stdout, output),
                read(streams.stderr, OutputStream::Stderr, output),
            )
        });
        let mut lines = tokio::select! {
            lines = &mut reading => Some(lines),
            () = tokio::time::sleep(timeout) => { ended.timed_out = true; None }
            () = stop.cancelled() => None,
        };
        if lines.is_none() {
            running.interrupt();
            lines = Some(reading.await);
        }
        if let Some((out, err)) = lines {
            ended.last = if err.is_empty() { out } else { err };
        }
        match running.wait().await {
            Ok(Exit::Code(code)) => ended.code = Some(code),
            Ok(Exit::Signal(_)) => {}
            Err(error) => tracing::error!(%error, "how a command ended is not known"),
        }
        Ok(ended)
    }
}

/// Reads lines to the end of the stream, whatever they hold, and returns the last of them.
async fn read(from: impl AsyncRead + Unpin, stream: OutputStream, output: &Output) -> VecDeque<String> {
    use tokio::io::AsyncReadExt as _;
    let mut reader = BufReader::new(from);
    let mut last = VecDeque::with_capacity(TAIL_LINES);
    let mut line = Vec::new();
    loop {
        line.clear();
        // A longer line comes in pieces.
        match (&mut reader).take(LINE_BYTES).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return last,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        if last.len() == TAIL_LINES {
            last.pop_front();
        }
        last.push_back(text.chars().take(300).collect());
        output.line(stream, text);
    }
}
