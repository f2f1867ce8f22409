//! Builds over a store in a folder of its own, and the words the stories are told in.

use crate::store::TroubledStore;
use buildwright_commands::{Builds, ExecuteError, Executed, Writers};
use chrono::{DateTime, Utc};
use domain::{
    BuildId, Usage,
    build::{Attempt, Build, BuildSpec, Command, Limits, Outcome, Rejection, Success, TaskResult, Work},
};
use plan::{Bounds, DependencyDraft, Plan, PlanDraft, TaskDraft, TaskNumber};
use ports::{Clock, EventStore, Position, RecordedEvent, StreamId, Version};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use ulid::Ulid;

pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) store: Arc<TroubledStore>,
    pub(crate) builds: Arc<Builds>,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(Writers::OnlyThis, 100).await
    }

    pub(crate) async fn with(writers: Writers, cached: usize) -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), writers, cached).await
    }

    async fn in_folder(folder: TempDir, writers: Writers, cached: usize) -> Self {
        let path = folder.path().join("events.db");
        let sqlite = SqliteStore::open(&path, SqliteOptions::default()).await.expect("a store");
        let store = Arc::new(TroubledStore::new(sqlite));
        let builds = Builds::new(Arc::clone(&store) as _, Arc::new(Noon), writers, cached);
        Self { folder, store, builds: Arc::new(builds) }
    }

    /// The same file, opened by somebody who remembers nothing.
    pub(crate) async fn restarted(self) -> Self {
        self.store.inner.close().await;
        Self::in_folder(self.folder, Writers::Several, 100).await
    }

    /// Another process that writes to the same store.
    pub(crate) fn somebody_else(&self) -> Builds {
        Builds::new(Arc::new(self.store.inner.clone()), Arc::new(Noon), Writers::Several, 100)
    }

    /// A build whose tasks are all scheduled: as many as `tasks`, none waiting for another.
    pub(crate) async fn submit(&self, id: BuildId, tasks: u32) -> Executed {
        self.builds.execute(id, "tester".into(), submit(plan(tasks))).await.expect("submitted")
    }

    pub(crate) fn post(
        &self,
        id: BuildId,
        command: Command,
    ) -> impl Future<Output = Result<Executed, ExecuteError>> + Send + use<> {
        self.builds.post(id, "tester".into(), command)
    }

    pub(crate) async fn execute(&self, id: BuildId, command: Command) -> Result<Executed, ExecuteError> {
        self.post(id, command).await
    }

    /// A command that is at the store, which holds it; everything posted now waits behind it.
    pub(crate) async fn occupy(
        &self,
        id: BuildId,
        command: Command,
    ) -> impl Future<Output = Result<Executed, ExecuteError>> + use<> {
        let next = self.store.appends() + 1;
        self.store.hold();
        let answer = self.post(id, command);
        soon(self.store.wait_for_append(next)).await;
        answer
    }

    pub(crate) async fn stream(&self, id: BuildId) -> Vec<RecordedEvent> {
        self.store.inner.read_stream(StreamId::Build(id), Version(0), 10_000).await.expect("a stream")
    }

    pub(crate) async fn kinds(&self, id: BuildId) -> Vec<String> {
        self.stream(id).await.iter().map(|event| event.kind.to_string()).collect()
    }

    /// What is in memory is what is stored, and what is stored has no gap.
    pub(crate) async fn assert_sound(&self, id: BuildId) {
        let stored = self.stream(id).await;
        let folded = fold(&stored);
        let seen = self.builds.read(id, Clone::clone).await.expect("readable").unwrap_or_default();
        assert_eq!(seen.build, folded);
        assert_eq!(seen.version, stored.last().map_or(Version(0), |event| event.version));
        assert_eq!(seen.position, stored.last().map_or(Position(0), |event| event.position));
    }
}

/// What a stream without gaps comes to.
pub(crate) fn fold(stream: &[RecordedEvent]) -> Build {
    let mut folded = Build::default();
    for (event, version) in stream.iter().zip(1..) {
        assert_eq!(event.version, Version(version));
        folded.apply(&event.build_event().expect("an event"));
    }
    folded
}

pub(crate) struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        noon()
    }
}

pub(crate) fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().expect("a time")
}

/// A bound on what must come to pass: a story that hangs fails.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), what).await.expect("it did not come to pass")
}

pub(crate) fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

pub(crate) fn plan(tasks: u32) -> Plan {
    plan_of((0..tasks).map(|n| (n, Vec::new())))
}

/// Each task waits for the one before it.
pub(crate) fn chain(tasks: u32) -> Plan {
    plan_of((0..tasks).map(|n| (n, n.checked_sub(1).into_iter().collect())))
}

fn plan_of(tasks: impl Iterator<Item = (u32, Vec<u32>)>) -> Plan {
    let id = |n: u32| format!("t{n}");
    let mut draft = PlanDraft::default();
    for (n, before) in tasks {
        draft.tasks.push(TaskDraft {
            id: id(n),
            task_type: "agent".into(),
            prompt: "do it".into(),
            ..TaskDraft::default()
        });
        let depends_on = before.into_iter().map(id).collect();
        draft.dependencies.push(DependencyDraft { task: id(n), depends_on });
    }
    Plan::validate(draft, &Bounds::default()).expect("a plan")
}

pub(crate) fn submit(plan: impl Into<Option<Plan>>) -> Command {
    let spec = BuildSpec {
        prompt: "make a shop".into(),
        project: "shop".parse().expect("a name"),
        repository: None,
        framework: None,
        model: "any".into(),
        limits: Limits { max_parallel: 1_000, ..Limits::default() },
        labels: BTreeMap::new(),
        tenant: Default::default(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    Command::Submit { spec, plan: plan.into(), at: noon() }
}

pub(crate) fn start(task: u32) -> Command {
    start_by("e1", task)
}

pub(crate) fn start_by(executor: &str, task: u32) -> Command {
    let work = Work::Task(TaskNumber(task));
    Command::Start { work, attempt: Attempt::FIRST, executor: executor.into(), at: noon() }
}

pub(crate) fn finish(task: u32) -> Command {
    let result = TaskResult {
        commit: "1".repeat(40).parse().expect("an id"),
        bundle: None,
        files_changed: 1,
        summary: String::new(),
    };
    ended(Work::Task(TaskNumber(task)), Success::Task(result))
}

pub(crate) fn planned(plan: Plan) -> Command {
    ended(Work::Plan, Success::Plan(plan))
}

fn ended(work: Work, success: Success) -> Command {
    let outcome = Outcome { result: Ok(success), usage: Usage::default(), session_id: None, duration_ms: 1 };
    Command::Finish { work, attempt: Attempt::FIRST, outcome, at: noon() }
}

pub(crate) fn cancel() -> Command {
    Command::Cancel { reason: None, at: noon() }
}

pub(crate) fn rejection(result: Result<Executed, ExecuteError>) -> Rejection {
    match result {
        Err(ExecuteError::Rejected(rejection)) => rejection,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

pub(crate) fn assert_store_failed(result: &Result<Executed, ExecuteError>) {
    assert!(matches!(result, Err(ExecuteError::Store(_))), "expected a failed store, not {result:?}");
}
