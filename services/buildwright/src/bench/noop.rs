//! Work that costs nothing.

use async_trait::async_trait;
use domain::{
    BuildId, Failure, FailureClass, Usage,
    build::{MergeResult, Outcome, Success, TaskResult},
};
use executor::Worker;
use names::Commit;
use ports::{WorkKind, WorkOrder};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// A worker that is done at once and notes when it was given a build's first task.
#[derive(Default)]
pub(super) struct NoopWorker {
    started: Mutex<HashMap<BuildId, Instant>>,
}

impl NoopWorker {
    /// When the build's first task was begun.
    pub(super) fn started(&self, build: BuildId) -> Option<Instant> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner).get(&build).copied()
    }
}

#[async_trait]
impl Worker for NoopWorker {
    async fn carry_out(&self, order: &WorkOrder, _stop: &CancellationToken) -> Outcome {
        let now = Instant::now();
        let commit = || "0123456789abcdef0123456789abcdef01234567".parse::<Commit>();
        let no_commit = |_| Failure::new(FailureClass::Internal, "no commit");
        let result = match &order.kind {
            WorkKind::Plan { .. } => {
                Err(Failure::new(FailureClass::Internal, "the benchmark brings its plans"))
            }
            WorkKind::Task { .. } => {
                self.started.lock().unwrap_or_else(PoisonError::into_inner).entry(order.build).or_insert(now);
                commit().map_err(no_commit).map(|commit| {
                    Success::Task(TaskResult {
                        commit,
                        bundle: None,
                        files_changed: 1,
                        summary: String::new(),
                    })
                })
            }
            WorkKind::Merge { .. } => commit().map_err(no_commit).map(|commit| {
                let base = commit.clone();
                Success::Merge(MergeResult { base, commit, branch: "main".to_owned(), files_changed: 1 })
            }),
        };
        Outcome { result, usage: Usage::default(), session_id: None, duration_ms: 0 }
    }
}
