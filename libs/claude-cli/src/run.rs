//! Carries one request through one process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;
use supervisor::{Exit, Output, Supervised, Supervisor};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::ChildStdout;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::conclude::{Ending, Stopped, conclude};
use crate::event::{Event, Line};
use crate::invocation;
use crate::lines::{DEFAULT_LINE_CAP, LineReader};
use crate::private_dir::PrivateDir;
use crate::request::RunRequest;
use crate::result::PermissionDenial;
use crate::transcript::Transcript;
use crate::usage::Usage;

/// How much of the end of standard error is kept, in bytes.
const STDERR_TAIL: usize = 8 * 1024;

/// How long a tree that was told to die may keep its output open, beyond its grace. The
/// supervising process gives up on the unkillable after 5 s.
const LAST_WORDS: Duration = Duration::from_secs(8);

/// Far enough away, and a time that clocks and the CLI's own timers (31 bits of ms) can hold.
pub(crate) const LONGEST: Duration = Duration::from_secs(20 * 24 * 3600);

/// An installed CLI.
#[derive(Debug, Clone)]
pub struct ClaudeCli {
    /// The executable.
    pub binary: PathBuf,
    /// Holds every process it starts.
    pub supervisor: Supervisor,
    /// Longest line of the stream kept, in bytes.
    pub line_cap: usize,
    /// How long the process may stay silent between a result and its end. Must be over the 5 s for
    /// which it waits for background commands.
    pub linger: Duration,
}

/// How a run went.
#[derive(Debug, Clone, PartialEq)]
pub struct RunReport {
    /// How it ended.
    pub ending: Ending,
    /// The conversation, to resume it.
    pub session_id: String,
    /// Tokens and cost, all models. Zero without a result line (an interrupted answer is not
    /// counted by the CLI either).
    pub usage: Usage,
    /// The final text.
    pub result_text: Option<String>,
    /// The answer that matches the asked schema. May be missing from a completed run.
    pub structured_output: Option<Value>,
    /// Tool calls that were refused. A run that met some still completes.
    pub permission_denials: Vec<PermissionDenial>,
    /// Model turns.
    pub num_turns: u64,
    /// From start to the end of the last process.
    pub duration: Duration,
    /// The end of standard error.
    pub stderr_tail: String,
    /// Version of the CLI, once it said so.
    pub claude_version: Option<String>,
    /// How the process ended; `None` when it did not start or was lost.
    pub exit: Option<Exit>,
}

impl ClaudeCli {
    /// Uses this executable, under this supervision.
    #[must_use]
    pub fn new(binary: PathBuf, supervisor: Supervisor) -> Self {
        Self { binary, supervisor, line_cap: DEFAULT_LINE_CAP, linger: Duration::from_secs(15) }
    }

    /// Runs a request to its end, which may be failure: there is no other way out. Every line of
    /// the stream goes through `on_event`, in order. When it returns, no process of the run is
    /// left; dropping the future kills them.
    pub async fn run(
        &self,
        request: &RunRequest,
        cancel: &CancellationToken,
        on_event: impl FnMut(&Line),
    ) -> RunReport {
        let started = Instant::now();
        let mut transcript = Transcript::default();
        let (ending, exit, stderr) = match self.start(request).await {
            Err(message) => (Ending::CouldNotStart { message }, None, String::new()),
            Ok((process, output)) => {
                let mut stream = Stream {
                    lines: LineReader::new(output.stdout, self.line_cap),
                    process,
                    deadline: started + request.timeout.min(LONGEST),
                    grace: request.grace,
                    linger: self.linger,
                };
                let stderr = tokio::spawn(tail(output.stderr));
                let stopped = stream.read(cancel, &mut transcript, on_event).await;
                let exit = stream.end().await;
                let stderr = timeout(LAST_WORDS, stderr).await.ok().and_then(Result::ok).unwrap_or_default();
                (conclude(&transcript, exit, stopped, &stderr), exit, stderr)
            }
        };
        let result = transcript.last_result;
        RunReport {
            ending,
            session_id: transcript.session_id.unwrap_or_else(|| request.session.id().to_string()),
            usage: result.as_ref().map(|result| result.usage.clone()).unwrap_or_default(),
            result_text: result.and_then(|result| result.text),
            structured_output: transcript.structured_output,
            permission_denials: transcript.permission_denials,
            num_turns: transcript.num_turns,
            duration: started.elapsed(),
            stderr_tail: stderr,
            claude_version: transcript.claude_version,
            exit,
        }
    }

    async fn start(&self, request: &RunRequest) -> Result<(Supervised, Output), String> {
        if request.prompt.trim().is_empty() {
            return Err("the prompt is blank".to_owned());
        }
        let private = PrivateDir::prepare(&request.private_dir, &request.prompt, &request.credential)
            .map_err(|error| format!("cannot prepare {}: {error}", request.private_dir.display()))?;
        let command = invocation::command(&self.binary, request, &private);
        self.supervisor.start(&command).await.map_err(|error| error.to_string())
    }
}

/// A running process and the clocks that bound it.
struct Stream {
    lines: LineReader<ChildStdout>,
    process: Supervised,
    deadline: Instant,
    grace: Duration,
    linger: Duration,
}

impl Stream {
    /// Reads to end of file. Returns why we stopped the process, if we did.
    async fn read(
        &mut self,
        cancel: &CancellationToken,
        transcript: &mut Transcript,
        mut on_event: impl FnMut(&Line),
    ) -> Option<Stopped> {
        // Set while the last thing of note is a result: the process should end soon.
        let mut end_by: Option<Instant> = None;
        loop {
            let stopped = tokio::select! {
                biased;
                () = cancel.cancelled() => Stopped::Cancelled,
                () = sleep_until(self.deadline.into()) => Stopped::TimedOut,
                () = sleep_until(end_by.unwrap_or(self.deadline).into()), if end_by.is_some() => {
                    self.process.kill();
                    self.read_rest(LAST_WORDS, transcript, &mut on_event).await;
                    return None;
                }
                line = self.lines.next() => match line {
                    Ok(Some(line)) => {
                        let line = Line::read(line);
                        transcript.add(&line.event);
                        end_by = match &line.event {
                            Event::Result(_) => Some(Instant::now() + self.linger),
                            Event::Init(_) => None,
                            _ => end_by.map(|_| Instant::now() + self.linger),
                        };
                        on_event(&line);
                        continue;
                    }
                    // A pipe that cannot be read has nothing more to say either.
                    Ok(None) | Err(_) => return None,
                },
            };
            self.process.interrupt();
            self.read_rest(self.grace + LAST_WORDS, transcript, &mut on_event).await;
            return Some(stopped);
        }
    }

    /// Reads what a dying process still says, the result with its usage above all.
    async fn read_rest(
        &mut self,
        at_most: Duration,
        transcript: &mut Transcript,
        on_event: &mut impl FnMut(&Line),
    ) {
        let _ = timeout(at_most, async {
            while let Ok(Some(line)) = self.lines.next().await {
                let line = Line::read(line);
                transcript.add(&line.event);
                on_event(&line);
            }
        })
        .await;
    }

    /// After end of file, which the supervising process itself holds back until the tree is gone.
    async fn end(&mut self) -> Option<Exit> {
        if let Ok(exit) = timeout(LAST_WORDS, self.process.wait()).await {
            return exit.ok();
        }
        self.process.kill();
        timeout(LAST_WORDS, self.process.wait()).await.ok()?.ok()
    }
}

/// The last bytes of a stream, read to its end so that its writer never blocks.
async fn tail(mut stream: impl AsyncRead + Unpin) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = vec![0; STDERR_TAIL];
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        let excess = kept.len().saturating_sub(STDERR_TAIL);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}
