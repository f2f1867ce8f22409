//! An executor whose work is what a story says, on a bus of this process.

use crate::{orders::*, scene::Noon};
use async_trait::async_trait;
use buildwright_executor::{Executor, Identity, OutcomeSpool, Reporting, Settings, Signals, Worker};
use bus_local::{LocalOutcomes, LocalQueue, LocalRoster};
use domain::{
    Failure, FailureClass, ModelUsage, Usage,
    build::{Outcome, Success, TaskResult, Work},
};
use ports::{
    ExecutorName, ExecutorStatus, OutcomeBus, OutcomeReport, Received, Roster, TaskQueue, WorkOrder,
};
use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    runtime::Runtime,
    sync::{Semaphore, watch},
};
use tokio_util::sync::CancellationToken;

/// Works on each order until it is let go, or stopped; panics at task 13. Once let go, it fails as it was told.
pub(crate) struct Stub {
    /// How many are at work now, how many were at most, and how many were begun.
    pub(crate) at_work: watch::Sender<(usize, usize, usize)>,
    pub(crate) let_go: Semaphore,
    failing: Mutex<Option<FailureClass>>,
    /// What each attempt costs, in billionths of a dollar.
    cost: AtomicU64,
}

impl Stub {
    pub(crate) fn new() -> Arc<Self> {
        let (at_work, let_go) = (watch::Sender::new((0, 0, 0)), Semaphore::new(0));
        Arc::new(Self { at_work, let_go, failing: Mutex::default(), cost: AtomicU64::new(0) })
    }

    /// How attempts end from now on.
    pub(crate) fn fail(&self, how: Option<FailureClass>) {
        *self.failing.lock().unwrap() = how;
    }

    /// What attempts cost from now on.
    pub(crate) fn spend(&self, nano_usd: u64) {
        self.cost.store(nano_usd, SeqCst);
    }

    pub(crate) fn begun(&self) -> usize {
        self.at_work.borrow().2
    }

    pub(crate) async fn wait_until_begun(&self, count: usize) {
        soon(self.at_work.subscribe().wait_for(|(.., begun)| *begun == count)).await.unwrap();
    }

    pub(crate) async fn wait_until_at_work(&self, count: usize) {
        soon(self.at_work.subscribe().wait_for(|(now, ..)| *now == count)).await.unwrap();
    }
}

#[async_trait]
impl Worker for Stub {
    async fn carry_out(&self, order: &WorkOrder, stop: &CancellationToken) -> Outcome {
        assert_ne!(order.work.to_string(), "task-13", "a worker with a defect");
        self.at_work.send_modify(|(now, most, begun)| {
            *now += 1;
            *most = (*most).max(*now);
            *begun += 1;
        });
        let result = tokio::select! {
            permit = self.let_go.acquire() => {
                permit.unwrap().forget();
                match *self.failing.lock().unwrap() {
                    Some(class) => Err(Failure::new(class, "as it was told")),
                    None => Ok(Success::Task(TaskResult {
                        commit: "1".repeat(40).parse().unwrap(),
                        bundle: None,
                        files_changed: 1,
                        summary: String::new(),
                    })),
                }
            }
            () = stop.cancelled() => Err(Failure::new(FailureClass::Lost, "stopped")),
        };
        self.at_work.send_modify(|(now, ..)| *now -= 1);
        let spent = ModelUsage { cost_nano_usd: self.cost.load(SeqCst), ..ModelUsage::default() };
        let usage = Usage { by_model: [("stub".to_owned(), spent)].into() };
        Outcome { result, usage, session_id: None, duration_ms: 1 }
    }
}

/// What outlasts an executor: the queue, the driver's side of the bus, and the roster.
#[derive(Clone)]
pub(crate) struct Fleet {
    pub(crate) queue: LocalQueue,
    pub(crate) outcomes: LocalOutcomes,
    pub(crate) roster: LocalRoster,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let roster = LocalRoster::new(Duration::from_secs(20));
        Self { queue: LocalQueue::new(1_000), outcomes: LocalOutcomes::new(), roster }
    }

    pub(crate) async fn offer(&self, order: WorkOrder) {
        self.queue.offer(order).await.unwrap();
    }

    /// The next report, unconfirmed.
    pub(crate) async fn next(&self) -> Received {
        soon(self.outcomes.reports(1)).await.unwrap().remove(0)
    }

    /// The next report, confirmed, in short.
    pub(crate) async fn heard(&self) -> Heard {
        let Received { report, receipt } = self.next().await;
        receipt.confirm(ports::Answer::Accepted).await;
        report.into()
    }

    /// Waits until the roster shows this.
    pub(crate) async fn listed(&self, shown: impl Fn(&[ExecutorStatus]) -> bool) -> Vec<ExecutorStatus> {
        soon(async {
            loop {
                let list = self.roster.executors().await.unwrap();
                if shown(&list) {
                    return list;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
    }

    pub(crate) fn executor(&self, worker: &Arc<Stub>, settings: Settings, reporting: Reporting) -> Executor {
        let identity = Identity {
            name: ExecutorName("e1".into()),
            version: "1.2.3".into(),
            pool: "large".parse().unwrap(),
            labels: vec!["gpu".parse().unwrap()],
        };
        Executor {
            identity,
            settings,
            queue: Arc::new(self.queue.clone()),
            reporting,
            roster: Arc::new(self.roster.clone()),
            worker: Arc::clone(worker) as _,
            clock: Arc::new(Noon),
        }
    }

    /// An executor without a spool.
    pub(crate) fn hire(&self, settings: Settings) -> Hired {
        let worker = Stub::new();
        let executor = self.executor(&worker, settings, Reporting::Direct(Arc::new(self.outcomes.clone())));
        let signals = Signals::default();
        let running = tokio::spawn(executor.run(signals.clone()));
        Hired { worker, signals, running }
    }

    /// An executor with a spool in this folder, in a process of its own as far as a test can have one.
    pub(crate) fn spawn(&self, spool: &Path, settings: Settings) -> Process {
        self.spawn_over(spool, settings, Arc::new(self.outcomes.clone()))
    }

    pub(crate) fn spawn_over(&self, spool: &Path, settings: Settings, bus: Arc<dyn OutcomeBus>) -> Process {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.unwrap();
        let (worker, signals, spool) = (Stub::new(), Signals::default(), spool.to_owned());
        let running = runtime.spawn({
            let (fleet, worker, signals) = (self.clone(), Arc::clone(&worker), signals.clone());
            async move {
                let spool = OutcomeSpool::open(spool, bus, settings.spool.clone()).await.unwrap();
                fleet.executor(&worker, settings, Reporting::Spooled(spool)).run(signals).await;
            }
        });
        Process { runtime: Some(runtime), hired: Hired { worker, signals, running } }
    }
}

/// An executor at work.
pub(crate) struct Hired {
    pub(crate) worker: Arc<Stub>,
    pub(crate) signals: Signals,
    pub(crate) running: tokio::task::JoinHandle<()>,
}

impl Hired {
    pub(crate) async fn stop(self) {
        self.signals.stop.cancel();
        self.ended().await;
    }

    pub(crate) async fn ended(self) {
        soon(self.running).await.unwrap();
    }
}

/// An executor in a process of its own.
pub(crate) struct Process {
    runtime: Option<Runtime>,
    pub(crate) hired: Hired,
}

impl Process {
    /// It dies: nothing of it runs on.
    pub(crate) fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }

    pub(crate) async fn drain(mut self) {
        self.hired.signals.drain.cancel();
        soon(&mut self.hired.running).await.unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Within a runtime another one must not be waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A report in short.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Started(Work),
    Succeeded(Work),
    Failed(Work, FailureClass),
    Lost(Work),
}

impl From<OutcomeReport> for Heard {
    fn from(report: OutcomeReport) -> Self {
        let (OutcomeReport::Started { executor, .. }
        | OutcomeReport::Finished { executor, .. }
        | OutcomeReport::Lost { executor, .. }) = &report;
        assert_eq!(*executor, ExecutorName("e1".into()));
        match report {
            OutcomeReport::Started { work, .. } => Self::Started(work),
            OutcomeReport::Lost { work, .. } => Self::Lost(work),
            OutcomeReport::Finished { work, outcome, .. } => match outcome.result {
                Ok(_) => Self::Succeeded(work),
                Err(failure) => Self::Failed(work, failure.class),
            },
        }
    }
}

/// A task that asks no model.
pub(crate) fn number(n: u32) -> WorkOrder {
    task(1, n, command("true"))
}

/// A task that asks the model.
pub(crate) fn asking(n: u32) -> WorkOrder {
    task(1, n, writes("a.txt", "a"))
}
