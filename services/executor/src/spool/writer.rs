//! Whoever writes to the log: one thread, for all that report at the same time.

use super::{
    log::{Kept, Log, Written},
    syncer::{self, Due, Durable, Flush, Flushed},
};
use ports::OutcomeReport;
use std::{
    io,
    sync::{Arc, mpsc as std_mpsc},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Hands what is to be written to the thread. Without a handle left, that ends.
pub(super) struct Writer(mpsc::Sender<Request>);

/// Tells whether a report became durable.
pub(super) struct Durability(oneshot::Receiver<Flushed>);

enum Request {
    Keep(Keep),
    Forget { kept: Kept, done: oneshot::Sender<()> },
    SetAside { kept: Kept, body: Vec<u8>, done: oneshot::Sender<()> },
    TidyUp { done: oneshot::Sender<()> },
}

struct Keep {
    body: Vec<u8>,
    written: oneshot::Sender<Result<Kept, Arc<io::Error>>>,
    durable: Durable,
}

impl Writer {
    /// Starts it; so many may wait for it before whoever comes next has to wait for them.
    pub(super) fn start(log: Log, waiting: usize, flush: impl Flush) -> io::Result<Self> {
        let (hand_in, requests) = mpsc::channel(waiting);
        let due = syncer::start(flush)?;
        thread::Builder::new().name("spool-writer".into()).spawn(move || run(log, requests, &due))?;
        Ok(Self(hand_in))
    }

    /// Keeps a report. When this returns, it outlasts the process; the other tells when it outlasts the machine.
    pub(super) async fn keep(&self, report: &OutcomeReport) -> io::Result<(Kept, Durability)> {
        let body = report.encode()?;
        let ((written, is_written), (durable, is_durable)) = (oneshot::channel(), oneshot::channel());
        self.0.send(Request::Keep(Keep { body, written, durable })).await.map_err(|_| gone())?;
        let kept = is_written.await.map_err(|_| gone())?.map_err(shared)?;
        Ok((kept, Durability(is_durable)))
    }

    /// Forgets a report. Should the machine fail before the disk has that, the report is published once more.
    pub(super) async fn forget(&self, kept: Kept) {
        let (done, is_done) = oneshot::channel();
        self.ask(Request::Forget { kept, done }, is_done).await;
    }

    /// Keeps a report out of the way of every later start.
    pub(super) async fn set_aside(&self, kept: Kept, body: Vec<u8>) {
        let (done, is_done) = oneshot::channel();
        self.ask(Request::SetAside { kept, body, done }, is_done).await;
    }

    /// Leaves nothing on the disk if everything is confirmed.
    pub(super) async fn tidy_up(&self) {
        let (done, is_done) = oneshot::channel();
        self.ask(Request::TidyUp { done }, is_done).await;
    }

    async fn ask(&self, request: Request, is_done: oneshot::Receiver<()>) {
        if self.0.send(request).await.is_err() || is_done.await.is_err() {
            tracing::error!(error = %gone(), "what is over stays in the spool");
        }
    }
}

impl Durability {
    pub(super) async fn wait(self) -> io::Result<()> {
        self.0.await.map_err(|_| gone())?.map_err(shared)
    }
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "what writes the spool is gone")
}

fn shared(error: Arc<io::Error>) -> io::Error {
    io::Error::new(error.kind(), error)
}

fn run(mut log: Log, mut requests: mpsc::Receiver<Request>, due: &std_mpsc::Sender<Due>) {
    let mut all = Vec::new();
    while requests.blocking_recv_many(&mut all, requests.max_capacity()) > 0 {
        serve(&mut log, due, &mut all);
    }
}

/// Serves all that came while those before were served.
fn serve(log: &mut Log, due: &std_mpsc::Sender<Due>, all: &mut Vec<Request>) {
    let (mut bodies, mut keepers, mut settled) = (Vec::new(), Vec::new(), Vec::new());
    for request in all.drain(..) {
        match request {
            Request::Keep(Keep { body, written, durable }) => {
                bodies.push(body);
                keepers.push((written, durable));
            }
            Request::Forget { kept, done } => {
                log.forget(&kept);
                settled.push(done);
            }
            Request::SetAside { kept, body, done } => {
                log.set_aside(&kept, &body);
                settled.push(done);
            }
            Request::TidyUp { done } => {
                log.leave_current();
                settled.push(done);
            }
        }
    }
    if !bodies.is_empty() {
        tell_kept(log.keep(&bodies), keepers, due);
    }
    log.settle();
    for done in settled {
        // Nobody needs to wait.
        let _ = done.send(());
    }
}

type Keepers = Vec<(oneshot::Sender<Result<Kept, Arc<io::Error>>>, Durable)>;

fn tell_kept(said: io::Result<Written>, keepers: Keepers, due: &std_mpsc::Sender<Due>) {
    match said {
        Ok(Written { kept, file }) => {
            let mut waiting = Vec::with_capacity(keepers.len());
            for (kept, (written, durable)) in kept.into_iter().zip(keepers) {
                // Whoever reported may not wait any more; the next start publishes it.
                let _ = written.send(Ok(kept));
                waiting.push(durable);
            }
            // If there is nobody to take it, whoever waits notices.
            let _ = due.send(Due { file, waiting });
        }
        Err(error) => {
            let error = Arc::new(error);
            for (written, _) in keepers {
                let _ = written.send(Err(Arc::clone(&error)));
            }
        }
    }
}
