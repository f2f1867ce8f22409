//! What the owner does for as long as anything of a run is alive, whether somebody waits for it or not.

use std::time::Duration;

use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::control::{Exit, INTERRUPT, Report};
use crate::tree;

/// A supervising process that has not done what it was asked after so long stands still. By itself it takes its grace
/// and then [`tree::GIVE_UP`] at most.
const STANDS_STILL: Duration = Duration::from_secs(8);

/// What is asked of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Order {
    Interrupt,
    Kill,
}

/// How it came to its end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Exited(Exit),
    /// The supervising process was killed, and then all of the run.
    Lost,
}

/// Holds a run.
pub(crate) struct Guard {
    pub(crate) control: Control,
    pub(crate) child: Child,
    pub(crate) command: i32,
    /// What its processes have in their environment.
    pub(crate) entry: Vec<u8>,
    pub(crate) grace: Duration,
}

impl Guard {
    /// Passes orders on until nothing of the run is left; it is killed when nobody can give orders any more.
    pub(crate) async fn hold(
        mut self,
        mut orders: mpsc::UnboundedReceiver<Order>,
        ended: watch::Sender<Option<End>>,
    ) {
        let (mut owned, mut done_by) = (true, None);
        let end = loop {
            let late = async {
                match done_by {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                report = self.control.report() => match report {
                    Some(Report::Ended(exit)) => break End::Exited(exit),
                    Some(_) => {}
                    None => break End::Lost,
                },
                order = orders.recv(), if owned => {
                    owned = order.is_some();
                    let at = self.carry_out(order.unwrap_or(Order::Kill)).await;
                    done_by = Some(done_by.map_or(at, |by: Instant| by.min(at)));
                }
                () = late => {
                    done_by = None;
                    // Its end of the control socket closes, and the run is lost.
                    let _ = self.child.start_kill();
                }
            }
        };
        if matches!(end, End::Lost) {
            self.clear().await;
        }
        let _ = self.child.wait().await;
        ended.send_replace(Some(end));
    }

    /// Returns until when it should be done.
    async fn carry_out(&mut self, order: Order) -> Instant {
        match order {
            Order::Interrupt => {
                self.control.interrupt();
                Instant::now() + self.grace + STANDS_STILL
            }
            Order::Kill => {
                self.control.close().await;
                Instant::now() + STANDS_STILL
            }
        }
    }

    async fn clear(&mut self) {
        // It may have said something that is no report, and live.
        let _ = self.child.start_kill();
        let (command, entry) = (Pid::from_raw(self.command), std::mem::take(&mut self.entry));
        let _ = tokio::task::spawn_blocking(move || tree::kill_abandoned(command, &entry)).await;
    }
}

/// The owner's end of the control socket.
#[derive(Debug)]
pub(crate) struct Control {
    socket: BufReader<UnixStream>,
    line: Vec<u8>,
}

impl Control {
    pub(crate) fn new(socket: UnixStream) -> Self {
        Self { socket: BufReader::new(socket), line: Vec::new() }
    }

    /// Says what to run.
    pub(crate) async fn tell(&mut self, command: &[u8]) -> std::io::Result<()> {
        let length = u32::try_from(command.len()).map_err(std::io::Error::other)?;
        self.socket.get_mut().write_all(&length.to_le_bytes()).await?;
        self.socket.get_mut().write_all(command).await
    }

    /// The next report, `None` at the end. A dropped call leaves the part it read in `line`.
    pub(crate) async fn report(&mut self) -> Option<Report> {
        self.socket.read_until(b'\n', &mut self.line).await.ok()?;
        let line = std::mem::take(&mut self.line);
        Report::parse(&String::from_utf8_lossy(&line))
    }

    fn interrupt(&self) {
        let _ = self.socket.get_ref().try_write(&[INTERRUPT]);
    }

    async fn close(&mut self) {
        let _ = self.socket.get_mut().shutdown().await;
    }
}
