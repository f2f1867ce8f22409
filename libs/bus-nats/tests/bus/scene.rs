use async_nats::jetstream;
use buildwright_bus_nats::{
    NatsArtifacts, NatsBus, NatsOptions, NatsOutcomes, NatsOutputLog, NatsQueue, OutputBounds,
};
use bus_local::FolderArtifacts;
use domain::{
    Failure, FailureClass, Usage,
    build::{Attempt, BuildSpec, Outcome, Work},
};
use plan::{PlannedTask, TaskNumber, TaskType};
use ports::{ArtifactStore, ExecutorName, Lease, OutcomeReport, Received, WorkKind, WorkOrder};
use std::{sync::Arc, time::Duration};
use testkit::{
    bus::{build, order, soon, task},
    nats::Server,
};

/// A server and the options to reach it with.
pub(crate) struct Scene {
    pub(crate) server: Server,
    pub(crate) options: NatsOptions,
    pub(crate) artifacts: Arc<dyn ArtifactStore>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Leases that do not run out when the machine is busy, and yet soon. Little room, so that stories can be told
    /// on a disk that is almost full.
    pub(crate) fn new() -> Self {
        let server = Server::start();
        let folder = tempfile::tempdir().expect("a folder");
        let options = NatsOptions {
            ack_wait: Duration::from_secs(3),
            output_bytes: 64 << 20,
            events_bytes: 64 << 20,
            ..NatsOptions::new(server.url())
        };
        let artifacts = Arc::new(FolderArtifacts::new(folder.path().to_owned()));
        Self { server, options, artifacts, _folder: folder }
    }

    /// A connection: one process.
    pub(crate) async fn bus(&self) -> NatsBus {
        self.bus_at(self.server.url()).await
    }

    /// A connection by another way.
    pub(crate) async fn bus_at(&self, url: String) -> NatsBus {
        let options = NatsOptions { urls: vec![url], ..self.options.clone() };
        soon(NatsBus::connect(options)).await.expect("connected")
    }

    pub(crate) async fn queue(&self) -> NatsQueue {
        self.queue_of(&self.bus().await)
    }

    pub(crate) fn queue_of(&self, bus: &NatsBus) -> NatsQueue {
        NatsQueue::new(bus, Arc::clone(&self.artifacts))
    }

    /// An executor of a pool that has these labels.
    pub(crate) async fn executor(&self, pool: &str, labels: &[&str]) -> NatsQueue {
        let options = NatsOptions {
            pool: pool.parse().expect("a name"),
            labels: labels.iter().map(|label| label.parse().expect("a label")).collect(),
            lanes_every: Duration::from_millis(200),
            ..self.options.clone()
        };
        self.queue_of(&soon(NatsBus::connect(options)).await.expect("connected"))
    }

    pub(crate) async fn outcomes(&self) -> NatsOutcomes {
        self.outcomes_of(&self.bus().await)
    }

    pub(crate) fn outcomes_of(&self, bus: &NatsBus) -> NatsOutcomes {
        NatsOutcomes::new(bus, Arc::clone(&self.artifacts))
    }

    pub(crate) async fn output(&self, bounds: OutputBounds) -> NatsOutputLog {
        NatsOutputLog::new(&self.bus().await, bounds)
    }

    pub(crate) async fn nats_artifacts(&self) -> NatsArtifacts {
        NatsArtifacts::new(&self.bus().await)
    }

    /// JetStream itself, past the bus.
    pub(crate) async fn jetstream(&self) -> jetstream::Context {
        let connecting = Box::pin(async_nats::connect(self.server.url()));
        jetstream::new(soon(connecting).await.expect("connected"))
    }

    /// How many orders lie in the stream.
    pub(crate) async fn orders(&self) -> u64 {
        let stream = self.jetstream().await.get_stream("TASKS").await.expect("a stream");
        stream.cached_info().state.messages
    }
}

pub(crate) fn name(lease: &dyn Lease) -> String {
    let order = lease.order();
    format!("{} {} {}", order.build, order.work, order.attempt)
}

pub(crate) fn finished(of: u64, attempt: u32) -> OutcomeReport {
    let result = Err(Failure::new(FailureClass::CheckFailed, "exited with 1"));
    OutcomeReport::Finished {
        build: build(of),
        work: Work::Plan,
        attempt: Attempt(attempt),
        executor: ExecutorName("executor-1".into()),
        outcome: Outcome { result, usage: Usage::default(), session_id: None, duration_ms: 7 },
    }
}

pub(crate) fn attempt(received: &Received) -> u32 {
    let (_, _, attempt) = received.report.about();
    attempt.0
}

/// An order for a pool that asks for labels.
pub(crate) fn order_for(pool: &str, labels: &[&str], of: u64, number: u32) -> WorkOrder {
    let WorkOrder { spec, .. } = order(of, task(number), 1);
    let spec = BuildSpec { pool: pool.parse().expect("a name"), ..(*spec).clone() };
    let task_of = PlannedTask {
        key: "shop".to_owned().try_into().expect("a key"),
        task_type: TaskType::Command,
        title: String::new(),
        prompt: String::new(),
        targets: Vec::new(),
        command: None,
        check: None,
        timeout_seconds: None,
        model: None,
        requires: labels.iter().map(|label| label.parse().expect("a label")).collect(),
    };
    let kind = WorkKind::Task {
        number: TaskNumber(number),
        task: Box::new(task_of),
        inputs: Vec::new(),
        previous_failure: None,
    };
    WorkOrder { spec: Arc::new(spec), kind, ..order(of, task(number), 1) }
}
