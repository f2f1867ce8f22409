//! The real worker: git workspaces, agents, checks, bundles.
//!
//! One attempt: find what to start from, check it out, let the agent (or a command) work, run the check,
//! commit what changed, look whether it is what was owed, store the bundle, remove the workspace.

mod failures;
mod merging;
mod planning;
mod shell;
mod sources;
mod task;

use failures::Step;
pub use shell::Shell;

use crate::{
    Worker,
    agent::{Agent, Answer, Job},
    output::Output,
};
use async_trait::async_trait;
use bundles::Sharing;
use domain::{
    Failure, FailureClass, Usage,
    build::{Outcome, Success},
};
use names::{Commit, Segment};
use ports::{ArtifactStore, Clock, OutputLog, OutputStream, WorkKind, WorkOrder};
use std::{path::PathBuf, sync::Arc, time::Duration, time::Instant};
use tokio_util::sync::CancellationToken;
use workspace::{AgentGit, AttemptSpec, AttemptWorkspace, Project, Repositories, Workspaces};

/// A worker with hands.
pub struct Workshop {
    /// The projects' repositories on this machine.
    pub repositories: Arc<Repositories>,
    /// How they come by what other machines made.
    pub sharing: Sharing,
    /// Where attempts work.
    pub workspaces: Workspaces,
    /// Where results are left for others.
    pub artifacts: Arc<dyn ArtifactStore>,
    /// Where output goes.
    pub output: Arc<dyn OutputLog>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Who writes the code.
    pub agent: Arc<dyn Agent>,
    /// What runs checks and commands.
    pub shell: Shell,
    /// How large a plan may be.
    pub plan_bounds: plan::Bounds,
    /// Where bundles are written before they are stored, and after they are fetched.
    pub scratch: PathBuf,
}

/// What an attempt has come to so far, whatever its end.
#[derive(Default)]
struct Account {
    usage: Usage,
    session_id: Option<String>,
}

/// One attempt in the course of being carried out.
struct Attempt<'a> {
    order: &'a WorkOrder,
    project: Arc<Project>,
    /// What the whole build starts from.
    base: Commit,
    output: &'a Output,
    stop: &'a CancellationToken,
    deadline: Instant,
    limit: Duration,
}

impl Attempt<'_> {
    /// The time that is left of the attempt's limit.
    fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for a step that may take long, such as a fetch; past the limit or when told to stop, it is dropped,
    /// which ends its processes.
    async fn in_time<T>(&self, step: impl Future<Output = Result<T, Step>>) -> Result<T, Failure> {
        tokio::select! {
            done = self.unless_stopped(step) => done,
            () = tokio::time::sleep(self.left()) => Err(self.timed_out()),
        }
    }

    async fn unless_stopped<T>(&self, step: impl Future<Output = Result<T, Step>>) -> Result<T, Failure> {
        unless_stopped(self.stop, step).await
    }

    /// Has the agent do a job; its cost counts whatever comes of it.
    async fn ask(&self, agent: &dyn Agent, job: Job<'_>, account: &mut Account) -> Result<Answer, Failure> {
        let report = agent.run(job, self.output, self.stop).await;
        account.usage = report.usage;
        account.session_id = report.session_id;
        report.result.map_err(|failure| match failure.class {
            // The agent knows only what was left of the time.
            FailureClass::Timeout => self.timed_out(),
            _ => failure,
        })
    }

    fn timed_out(&self) -> Failure {
        let seconds = self.limit.as_secs();
        Failure::new(FailureClass::Timeout, format!("it took longer than its limit of {seconds} s"))
    }
}

async fn unless_stopped<T>(
    stop: &CancellationToken,
    step: impl Future<Output = Result<T, Step>>,
) -> Result<T, Failure> {
    tokio::select! {
        done = step => done.map_err(Failure::from),
        () = stop.cancelled() => Err(Failure::new(FailureClass::Lost, "it was stopped")),
    }
}

#[async_trait]
impl Worker for Workshop {
    async fn carry_out(&self, order: &WorkOrder, stop: &CancellationToken) -> Outcome {
        let begun = Instant::now();
        let (log, clock) = (Arc::clone(&self.output), Arc::clone(&self.clock));
        let output = Output::open(log, clock, order.build, order.work, order.attempt);
        let mut account = Account::default();
        let result = self.attempt(order, &output, stop, &mut account).await;
        if let Err(failure) = &result {
            output.line(OutputStream::System, format!("failed: {failure}"));
        }
        output.close().await;
        Outcome {
            result,
            usage: account.usage,
            session_id: account.session_id,
            duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl Workshop {
    async fn attempt(
        &self,
        order: &WorkOrder,
        output: &Output,
        stop: &CancellationToken,
        account: &mut Account,
    ) -> Result<Success, Failure> {
        let limit = Duration::from_secs(time_limit(order).into());
        let project = self.repositories.project(&order.spec.owned_project()).await.map_err(Step::from)?;
        // Not within the limit: a large repository takes its time once, and the fetch has a limit of its own.
        let base = unless_stopped(stop, self.base(order, &project)).await?;
        let deadline = Instant::now() + limit;
        let attempt = Attempt { order, project, base, output, stop, deadline, limit };
        match &order.kind {
            WorkKind::Plan { previous_failure } => {
                self.make_plan(&attempt, previous_failure.as_deref(), account).await.map(Success::Plan)
            }
            WorkKind::Task { task, inputs, previous_failure, .. } => self
                .do_task(&attempt, task, inputs, previous_failure.as_deref(), account)
                .await
                .map(Success::Task),
            WorkKind::Merge { inputs } => self.merge(&attempt, inputs).await.map(Success::Merge),
        }
    }

    /// A workspace that starts from `start`.
    async fn prepare(
        &self,
        attempt: &Attempt<'_>,
        start: Commit,
        agent_git: AgentGit,
    ) -> Result<AttemptWorkspace, Failure> {
        let name = format!("{}-{}", attempt.order.work, attempt.order.attempt);
        let spec = AttemptSpec {
            build: segment(&attempt.order.build.to_string())?,
            name: segment(&name)?,
            start,
            agent_git,
        };
        Ok(self.workspaces.prepare(&attempt.project, &spec).await.map_err(Step::from)?)
    }

    /// Removes a workspace; that it could not be removed is for the operator to know, not for the build.
    async fn clear(&self, workspace: AttemptWorkspace) {
        if let Err(error) = workspace.remove().await {
            tracing::error!(%error, "a workspace could not be removed");
        }
    }
}

fn time_limit(order: &WorkOrder) -> u32 {
    let default = order.spec.limits.task_timeout_seconds;
    match &order.kind {
        WorkKind::Task { task, .. } => task.timeout_seconds.unwrap_or(default),
        WorkKind::Plan { .. } | WorkKind::Merge { .. } => default,
    }
}

fn segment(text: &str) -> Result<Segment, Failure> {
    Segment::try_from(text.to_owned()).map_err(|error| {
        tracing::error!(%error, text, "a name of ours is no path segment");
        Failure::new(FailureClass::Internal, "the executor had a defect, see its log")
    })
}
