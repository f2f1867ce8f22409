//! What happened, as it is stored for ever.
//!
//! Each event is one struct in [`data`]. Its type name, schema version and JSON are a contract: change one
//! only by a new version and an upcaster in [`BuildEvent::decode`]; the golden files in `tests/golden` hold
//! every version that was ever written.

use serde::{Deserialize, Serialize};

/// The data of each event, by type.
pub mod data {
    use crate::{Failure, Usage, build::*};
    use chrono::{DateTime, Utc};
    use plan::{Plan, TaskNumber};

    crate::stored::event_data! {
        /// A prompt was accepted.
        BuildSubmitted {
            /// What is ordered.
            #[serde(flatten)]
            spec: BuildSpec,
            /// When.
            at: DateTime<Utc>,
        }
        /// The first piece of work was taken up.
        BuildStarted {
            /// When.
            at: DateTime<Utc>,
        }
        /// Planning may be taken up.
        PlanningScheduled {
            /// Which try.
            attempt: Attempt,
            /// Not before this time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            not_before: Option<DateTime<Utc>>,
        }
        /// Planning was taken up.
        PlanningStarted {
            /// Which try.
            attempt: Attempt,
            /// By whom.
            executor: String,
            /// When.
            at: DateTime<Utc>,
        }
        /// A try at planning failed.
        PlanningFailed {
            /// Which try.
            attempt: Attempt,
            /// Why.
            failure: Failure,
            /// Whether another try follows.
            will_retry: bool,
            /// What it cost.
            #[serde(default, skip_serializing_if = "Usage::is_empty")]
            usage: Usage,
            /// When.
            at: DateTime<Utc>,
        }
        /// There is a plan.
        PlanGenerated {
            /// The plan.
            plan: Plan,
            /// Who made it.
            source: PlanSource,
            /// What it cost.
            #[serde(default, skip_serializing_if = "Usage::is_empty")]
            usage: Usage,
            /// The session of the run that made it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<String>,
            /// Wall-clock time of making it, in milliseconds.
            duration_ms: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// A task may be taken up: all it waits for is there.
        TaskScheduled {
            /// Which task.
            task: TaskNumber,
            /// Which try.
            attempt: Attempt,
            /// Not before this time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            not_before: Option<DateTime<Utc>>,
        }
        /// A task was taken up.
        TaskStarted {
            /// Which task.
            task: TaskNumber,
            /// Which try.
            attempt: Attempt,
            /// By whom.
            executor: String,
            /// When.
            at: DateTime<Utc>,
        }
        /// A task is done, with evidence.
        TaskCompleted {
            /// Which task.
            task: TaskNumber,
            /// Which try.
            attempt: Attempt,
            /// What it brought.
            #[serde(flatten)]
            result: TaskResult,
            /// What it cost.
            #[serde(default, skip_serializing_if = "Usage::is_empty")]
            usage: Usage,
            /// The session of its run.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<String>,
            /// Wall-clock time, in milliseconds.
            duration_ms: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// A try at a task failed.
        TaskFailed {
            /// Which task.
            task: TaskNumber,
            /// Which try.
            attempt: Attempt,
            /// Why.
            failure: Failure,
            /// Whether another try follows.
            will_retry: bool,
            /// What it cost.
            #[serde(default, skip_serializing_if = "Usage::is_empty")]
            usage: Usage,
            /// The session of its run.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<String>,
            /// Wall-clock time, in milliseconds.
            duration_ms: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// A try at a task took too long.
        TaskTimeout {
            /// Which task.
            task: TaskNumber,
            /// Which try.
            attempt: Attempt,
            /// Why, naming the limit.
            failure: Failure,
            /// Whether another try follows.
            will_retry: bool,
            /// What it cost.
            #[serde(default, skip_serializing_if = "Usage::is_empty")]
            usage: Usage,
            /// The session of its run.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            session_id: Option<String>,
            /// Wall-clock time, in milliseconds.
            duration_ms: u64,
            /// When.
            at: DateTime<Utc>,
        }
        /// An attempt was lost with its executor.
        AttemptLost {
            /// Which work.
            work: Work,
            /// Which try.
            attempt: Attempt,
            /// When.
            at: DateTime<Utc>,
        }
        /// All tasks are done: their results may be merged.
        MergeScheduled {
            /// Which try.
            attempt: Attempt,
            /// Not before this time.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            not_before: Option<DateTime<Utc>>,
        }
        /// The results are merged and published.
        MergeCompleted {
            /// Which try.
            attempt: Attempt,
            /// What came out.
            #[serde(flatten)]
            result: MergeResult,
            /// When.
            at: DateTime<Utc>,
        }
        /// A try at merging failed.
        MergeFailed {
            /// Which try.
            attempt: Attempt,
            /// Why.
            failure: Failure,
            /// Whether another try follows.
            will_retry: bool,
            /// When.
            at: DateTime<Utc>,
        }
        /// An attempt that the build no longer waited for told what it had cost.
        UsageRecorded {
            /// Which work.
            work: Work,
            /// Which try.
            attempt: Attempt,
            /// What it cost.
            usage: Usage,
            /// When.
            at: DateTime<Utc>,
        }
        /// The build is finished.
        BuildCompleted {
            /// When.
            at: DateTime<Utc>,
        }
        /// The build is over without a result.
        BuildFailed {
            /// Why.
            failure: Failure,
            /// The task that failed, if one did.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            task: Option<TaskNumber>,
            /// When.
            at: DateTime<Utc>,
        }
        /// Somebody stopped the build.
        BuildCancelled {
            /// Why, in the caller's words.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
            /// When.
            at: DateTime<Utc>,
        }
    }
}

/// Who made a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanSource {
    /// It came with the request.
    Client,
    /// A model made it.
    Model,
}

crate::stored::stored_events! {
    /// An event of a build.
    BuildEvent {
        BuildSubmitted "build_submitted" 1 "A prompt was accepted.",
        BuildStarted "build_started" 1 "The first piece of work was taken up.",
        PlanningScheduled "planning_scheduled" 1 "Planning may be taken up.",
        PlanningStarted "planning_started" 1 "Planning was taken up.",
        PlanningFailed "planning_failed" 1 "A try at planning failed.",
        PlanGenerated "plan_generated" 1 "There is a plan.",
        TaskScheduled "task_scheduled" 1 "A task may be taken up.",
        TaskStarted "task_started" 1 "A task was taken up.",
        TaskCompleted "task_completed" 1 "A task is done, with evidence.",
        TaskFailed "task_failed" 1 "A try at a task failed.",
        TaskTimeout "task_timeout" 1 "A try at a task took too long.",
        AttemptLost "attempt_lost" 1 "An attempt was lost with its executor.",
        MergeScheduled "merge_scheduled" 1 "The results may be merged.",
        MergeCompleted "merge_completed" 1 "The results are merged and published.",
        MergeFailed "merge_failed" 1 "A try at merging failed.",
        UsageRecorded "usage_recorded" 1 "An abandoned attempt told its cost.",
        BuildCompleted "build_completed" 1 "The build is finished.",
        BuildFailed "build_failed" 1 "The build is over without a result.",
        BuildCancelled "build_cancelled" 1 "Somebody stopped the build.",
    }
}
