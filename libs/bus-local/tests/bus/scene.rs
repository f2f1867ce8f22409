use chrono::{DateTime, Utc};
use domain::{
    BuildId,
    build::{Attempt, BuildSpec, Limits, Work},
};
use plan::TaskNumber;
use ports::{WorkKind, WorkOrder};
use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};
use ulid::Ulid;

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

pub(crate) fn task(n: u32) -> Work {
    Work::Task(TaskNumber(n))
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// Planning stands in for any work: its particulars are the shortest.
pub(crate) fn order(of: u64, work: Work, attempt: u32) -> WorkOrder {
    let spec = BuildSpec {
        prompt: "make a shop".to_owned(),
        project: "shop".to_owned().try_into().expect("a name"),
        repository: None,
        framework: None,
        model: "any".to_owned(),
        limits: Limits::default(),
        labels: BTreeMap::new(),
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
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not come to pass")
}
