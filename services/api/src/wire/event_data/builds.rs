//! What happens to a build.

use super::parts::{EventFailure, EventLimits, EventRepository, EventUsage, EventWork};
use crate::wire::{PlanSource, labels, plan::PlanDraft, texts};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

catalogue! {
    "build_submitted" BuildSubmittedData "A prompt was accepted." {
        /// What is asked for.
        #[schema(max_length = 100_000)]
        prompt: String,
        /// The project whose repository receives the result.
        #[schema(value_type = texts::Project)]
        project: String,
        /// Code to start from.
        repository: Option<EventRepository>,
        /// A hint for planning.
        #[schema(max_length = 100)]
        framework: Option<String>,
        /// The model of every run that names no other.
        #[schema(value_type = texts::ModelName)]
        model: String,
        /// Bounds on time, money and parallelism.
        limits: EventLimits,
        /// The client's own labels; left out if there are none.
        #[schema(schema_with = labels, required = false)]
        labels: BTreeMap<String, String>,
        /// Whose build it is; left out if it is `default`.
        #[schema(max_length = 32, required = false)]
        tenant: String,
        /// What goes first; left out if it is 0.
        #[schema(minimum = -10, maximum = 10, required = false)]
        priority: i64,
        /// Which executors do it; left out if it is `default`.
        #[schema(value_type = texts::Pool, required = false)]
        pool: String,
        /// The webhook endpoint that was ordered with it.
        #[schema(value_type = Option<texts::EndpointId>)]
        webhook: Option<String>,
        /// When.
        at: DateTime<Utc>,
    }
    "build_started" BuildStartedData "The first piece of work was taken up." {
        /// When.
        at: DateTime<Utc>,
    }
    "planning_scheduled" PlanningScheduledData "Planning may be taken up." {
        /// Which try, from 1.
        attempt: u32,
        /// Not before this time.
        not_before: Option<DateTime<Utc>>,
    }
    "planning_started" PlanningStartedData "Planning was taken up." {
        /// Which try, from 1.
        attempt: u32,
        /// By whom.
        #[schema(value_type = texts::ExecutorText)]
        executor: String,
        /// When.
        at: DateTime<Utc>,
    }
    "planning_failed" PlanningFailedData "A try at planning failed." {
        /// Which try, from 1.
        attempt: u32,
        /// Why.
        failure: EventFailure,
        /// Whether another try follows.
        will_retry: bool,
        /// What it cost; left out if it cost nothing.
        #[schema(value_type = EventUsage, required = false)]
        usage: EventUsage,
        /// When.
        at: DateTime<Utc>,
    }
    "plan_generated" PlanGeneratedData "There is a plan." {
        /// The plan.
        plan: PlanDraft,
        /// Who made it.
        source: PlanSource,
        /// What it cost; left out if it cost nothing.
        #[schema(required = false)]
        usage: EventUsage,
        /// The session of the run that made it.
        #[schema(value_type = Option<texts::SessionId>)]
        session_id: Option<String>,
        /// How long making it took, in milliseconds.
        duration_ms: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "task_scheduled" TaskScheduledData "A task may be taken up: all it waits for is there." {
        /// The number of the task in the plan, from 0.
        task: u32,
        /// Which try, from 1.
        attempt: u32,
        /// Not before this time.
        not_before: Option<DateTime<Utc>>,
    }
    "task_started" TaskStartedData "A task was taken up." {
        /// The number of the task in the plan, from 0.
        task: u32,
        /// Which try, from 1.
        attempt: u32,
        /// By whom.
        #[schema(value_type = texts::ExecutorText)]
        executor: String,
        /// When.
        at: DateTime<Utc>,
    }
    "task_completed" TaskCompletedData "A task is done, with evidence." {
        /// The number of the task in the plan, from 0.
        task: u32,
        /// Which try, from 1.
        attempt: u32,
        /// The commit it ended in.
        #[schema(value_type = texts::CommitId)]
        commit: String,
        /// The artifact that holds the commit.
        #[schema(max_length = 1_024)]
        bundle: Option<String>,
        /// How many files it added, changed or removed.
        files_changed: u32,
        /// What the model said at the end; left out if it said nothing.
        #[schema(max_length = 2_000, required = false)]
        summary: String,
        /// What it cost; left out if it cost nothing.
        #[schema(required = false)]
        usage: EventUsage,
        /// The session of its run.
        #[schema(value_type = Option<texts::SessionId>)]
        session_id: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "task_failed" TaskFailedData "A try at a task failed." {
        /// The number of the task in the plan, from 0.
        task: u32,
        /// Which try, from 1.
        attempt: u32,
        /// Why.
        failure: EventFailure,
        /// Whether another try follows.
        will_retry: bool,
        /// What it cost; left out if it cost nothing.
        #[schema(required = false)]
        usage: EventUsage,
        /// The session of its run.
        #[schema(value_type = Option<texts::SessionId>)]
        session_id: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "task_timeout" TaskTimeoutData "A try at a task took too long." {
        /// The number of the task in the plan, from 0.
        task: u32,
        /// Which try, from 1.
        attempt: u32,
        /// Why, naming the limit.
        failure: EventFailure,
        /// Whether another try follows.
        will_retry: bool,
        /// What it cost; left out if it cost nothing.
        #[schema(required = false)]
        usage: EventUsage,
        /// The session of its run.
        #[schema(value_type = Option<texts::SessionId>)]
        session_id: Option<String>,
        /// How long it took, in milliseconds.
        duration_ms: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "attempt_lost" AttemptLostData "An attempt was lost with its executor." {
        /// Which work.
        work: EventWork,
        /// Which try, from 1.
        attempt: u32,
        /// When.
        at: DateTime<Utc>,
    }
    "merge_scheduled" MergeScheduledData "All tasks are done: their results may be merged." {
        /// Which try, from 1.
        attempt: u32,
        /// Not before this time.
        not_before: Option<DateTime<Utc>>,
    }
    "merge_completed" MergeCompletedData "The results are merged and published." {
        /// Which try, from 1.
        attempt: u32,
        /// The commit the build started from.
        #[schema(value_type = texts::CommitId)]
        base: String,
        /// The merge of all its tasks.
        #[schema(value_type = texts::CommitId)]
        commit: String,
        /// The branch of the project's repository that now contains it.
        #[schema(value_type = texts::Branch)]
        branch: String,
        /// How many files differ between the two.
        files_changed: u32,
        /// When.
        at: DateTime<Utc>,
    }
    "merge_failed" MergeFailedData "A try at merging failed." {
        /// Which try, from 1.
        attempt: u32,
        /// Why.
        failure: EventFailure,
        /// Whether another try follows.
        will_retry: bool,
        /// When.
        at: DateTime<Utc>,
    }
    "usage_recorded" UsageRecordedData "An attempt that the build no longer waited for told what it had cost." {
        /// Which work.
        work: EventWork,
        /// Which try, from 1.
        attempt: u32,
        /// What it cost.
        usage: EventUsage,
        /// When.
        at: DateTime<Utc>,
    }
    "build_completed" BuildCompletedData "The build is finished." {
        /// When.
        at: DateTime<Utc>,
    }
    "build_failed" BuildFailedData "The build is over without a result." {
        /// Why.
        failure: EventFailure,
        /// The number of the task that failed, if one did.
        task: Option<u32>,
        /// When.
        at: DateTime<Utc>,
    }
    "build_cancelled" BuildCancelledData "Somebody stopped the build." {
        /// Why, in the words of who stopped it.
        #[schema(max_length = 1_000)]
        reason: Option<String>,
        /// When.
        at: DateTime<Utc>,
    }
}
