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
    use serde::{Deserialize, Serialize};

    macro_rules! event_data {
        ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })+) => {$(
            $(#[$meta])*
            #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
            #[serde(rename_all = "camelCase")]
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        )+};
    }

    event_data! {
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

/// Why a stored event cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version of Buildwright.
    #[error("event type {kind:?} version {version} is not known to this version")]
    Unknown {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u16,
    },
    /// Its data does not fit its type.
    #[error("event of type {kind:?} version {version}: {source}")]
    Malformed {
        /// Its type.
        kind: String,
        /// Its schema version.
        version: u16,
        /// What does not fit.
        source: serde_json::Error,
    },
}

macro_rules! build_events {
    ($($name:ident $kind:literal $version:literal $doc:literal,)+) => {
        /// An event of a build.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "type", content = "data", rename_all = "snake_case")]
        pub enum BuildEvent {
            $(#[doc = $doc] $name(data::$name),)+
        }

        impl BuildEvent {
            /// Every type name, in the order of the documentation.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];

            /// The type name: a contract with every reader.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => $kind,)+ }
            }

            /// The schema version that [`BuildEvent::encode`] writes.
            #[must_use]
            pub fn schema_version(&self) -> u16 {
                match self { $(Self::$name(_) => $version,)+ }
            }

            /// The data as JSON.
            ///
            /// # Errors
            /// Never for events made by `decide`; serde asks for it.
            pub fn encode(&self) -> Result<String, serde_json::Error> {
                match self { $(Self::$name(data) => serde_json::to_string(data),)+ }
            }

            /// Reads a stored event of any known version.
            ///
            /// # Errors
            /// If the type or version is unknown or the data does not fit.
            pub fn decode(kind: &str, version: u16, json: &str) -> Result<Self, DecodeError> {
                match (kind, version) {
                    $(($kind, $version) => serde_json::from_str(json).map(Self::$name).map_err(|source| {
                        DecodeError::Malformed { kind: kind.to_owned(), version, source }
                    }),)+
                    _ => Err(DecodeError::Unknown { kind: kind.to_owned(), version }),
                }
            }
        }

        $(impl From<data::$name> for BuildEvent {
            fn from(data: data::$name) -> Self {
                Self::$name(data)
            }
        })+
    };
}

build_events! {
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
