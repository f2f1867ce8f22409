use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, BuildSpec, Limits, Work},
};
use plan::TaskNumber;
use ports::{WorkKind, WorkOrder};
use std::{any::Any, collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use ulid::Ulid;

/// What a story plays on: a bus, and whatever must live as long, such as its server.
pub struct Stage<T> {
    /// The driver's side.
    pub driver: T,
    /// Two executors' sides; of a bus in one process, the same as the driver's.
    pub executors: [T; 2],
    /// What must live as long.
    pub keep: Box<dyn Any + Send + Sync>,
}

impl<T: Clone> Stage<T> {
    /// Driver and executors use the same.
    pub fn of_one_process(part: T, keep: impl Send + Sync + 'static) -> Self {
        Self { driver: part.clone(), executors: [part.clone(), part], keep: Box::new(keep) }
    }
}

/// A build of that number.
#[must_use]
pub fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

/// A task of that number.
#[must_use]
pub fn task(n: u32) -> Work {
    Work::Task(TaskNumber(n))
}

/// A time.
///
/// # Panics
/// Never.
#[must_use]
pub fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// An order. Planning stands in for any work: its particulars are the shortest.
///
/// # Panics
/// Never.
#[must_use]
pub fn order(of: u64, work: Work, attempt: u32) -> WorkOrder {
    let spec = BuildSpec {
        prompt: "make a shop".to_owned(),
        project: "shop".to_owned().try_into().expect("a name"),
        repository: None,
        framework: None,
        model: "any".to_owned(),
        limits: Limits::default(),
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    WorkOrder {
        build: build(of),
        work,
        attempt: Attempt(attempt),
        spec: Arc::new(spec),
        submitted_at: noon(),
        kind: WorkKind::Plan { previous_failure: None },
    }
}

/// A bound on what must come to pass: a story that hangs fails.
///
/// # Panics
/// If it does not come to pass.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it did not come to pass")
}

/// Whether news woke those who waited, and not their next look, which is seconds away. A busy machine is late now and
/// then; whoever only looks is so most of the time.
pub(super) fn woken(waits: &[Duration]) -> bool {
    let mut waits = waits.to_vec();
    waits.sort_unstable();
    waits[waits.len() / 2] < Duration::from_secs(1)
}
