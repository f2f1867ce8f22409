//! The catalogue of events: what the `data` of each type looks like, for clients. The domain's own types have no
//! schemas, so that nothing of HTTP is known there; that these are true is what `openapi/checks` finds out, with the
//! domain's golden files and with the events of a build.

#![expect(dead_code, reason = "only the schemas of these types are used")]

use super::{FailureClass, PlanSource, plan::PlanDraft, texts};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type},
    },
};

macro_rules! catalogue {
    ($($kind:literal $schema:ident $summary:literal {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    })+) => {
        $(
            #[derive(ToSchema)]
            #[schema(rename_all = "camelCase", description = $summary)]
            pub(crate) struct $schema { $($(#[$meta])* $field: $type,)* }
        )+

        /// Every type of event: its name, what it says, and the name of the schema of its data.
        pub(crate) const EVENTS: &[(&str, &str, &str)] = &[$(($kind, $summary, stringify!($schema))),+];

        /// The data of an event: one of the schemas of the catalogue, by the event's type.
        pub(crate) struct EventData;

        impl PartialSchema for EventData {
            fn schema() -> RefOr<Schema> {
                EVENTS.iter().fold(utoipa::openapi::schema::AnyOfBuilder::new(), |any, (_, _, name)| {
                    any.item(Ref::from_schema_name(*name))
                })
                .description(Some("The particulars of an event, by its type."))
                .into()
            }
        }

        impl ToSchema for EventData {
            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                $(
                    schemas.push((stringify!($schema).to_owned(), <$schema as PartialSchema>::schema()));
                    <$schema as ToSchema>::schemas(schemas);
                )+
            }
        }
    };
}

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
        #[schema(schema_with = super::labels, required = false)]
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
    "webhook_endpoint_created" EndpointCreatedData "Somebody wants to be told of events." {
        /// Whose it is.
        #[schema(max_length = 32)]
        tenant: String,
        /// Where events are delivered.
        #[schema(value_type = texts::WebhookUrl)]
        url: String,
        /// What people call it; left out if it has no name.
        #[schema(max_length = 500, required = false)]
        description: String,
        /// Which types of events.
        #[schema(value_type = Vec<texts::EventGlob>, max_items = 64)]
        events: Vec<String>,
        /// Only builds of these projects; left out if there are none.
        #[schema(value_type = Vec<texts::Project>, max_items = 50, required = false)]
        projects: Vec<String>,
        /// Only builds with all of these labels; left out if there are none.
        #[schema(schema_with = super::labels, required = false)]
        labels: BTreeMap<String, String>,
        /// How much of an event is delivered.
        payload: super::webhook::PayloadKind,
        /// The names of its own headers; left out if there are none.
        #[schema(value_type = Vec<texts::HeaderName>, max_items = 20, required = false)]
        header_names: Vec<String>,
        /// What waits for what.
        order: super::webhook::DeliveryOrder,
        /// Most deliveries begun within a second.
        rate_per_second: Option<u32>,
        /// Most deliveries under way at the same time.
        concurrency: u32,
        /// Seconds that one delivery may take.
        timeout_seconds: u32,
        /// How messages are signed.
        signatures: super::webhook::Signatures,
        /// The one build that it was made for.
        #[schema(value_type = Option<texts::BuildId>)]
        build: Option<String>,
        /// The `sequence` after which events are delivered.
        from: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_updated" EndpointUpdatedData "Something else is asked for." {
        /// Where events are delivered.
        #[schema(value_type = texts::WebhookUrl)]
        url: String,
        /// What people call it; left out if it has no name.
        #[schema(max_length = 500, required = false)]
        description: String,
        /// Which types of events.
        #[schema(value_type = Vec<texts::EventGlob>, max_items = 64)]
        events: Vec<String>,
        /// Only builds of these projects; left out if there are none.
        #[schema(value_type = Vec<texts::Project>, max_items = 50, required = false)]
        projects: Vec<String>,
        /// Only builds with all of these labels; left out if there are none.
        #[schema(schema_with = super::labels, required = false)]
        labels: BTreeMap<String, String>,
        /// How much of an event is delivered.
        payload: super::webhook::PayloadKind,
        /// The names of its own headers; left out if there are none.
        #[schema(value_type = Vec<texts::HeaderName>, max_items = 20, required = false)]
        header_names: Vec<String>,
        /// What waits for what.
        order: super::webhook::DeliveryOrder,
        /// Most deliveries begun within a second.
        rate_per_second: Option<u32>,
        /// Most deliveries under way at the same time.
        concurrency: u32,
        /// Seconds that one delivery may take.
        timeout_seconds: u32,
        /// How messages are signed.
        signatures: super::webhook::Signatures,
        /// The one build that it was made for.
        #[schema(value_type = Option<texts::BuildId>)]
        build: Option<String>,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_disabled" EndpointDisabledData "Nothing is delivered any more." {
        /// Why.
        reason: EventDisabledReason,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_enabled" EndpointEnabledData "It is delivered to again." {
        /// The `sequence` after which events are delivered.
        from: u64,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_secret_rotated" EndpointSecretRotatedData "There is a new secret." {
        /// Until when messages are signed with the secrets before too.
        old_valid_until: DateTime<Utc>,
        /// When.
        at: DateTime<Utc>,
    }
    "webhook_endpoint_deleted" EndpointDeletedData "It is gone for good." {
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

/// Why something failed.
#[derive(ToSchema)]
struct EventFailure {
    /// The class.
    class: FailureClass,
    /// What happened and, where known, what to do.
    #[schema(max_length = 2_001)]
    message: String,
}

/// Where a build's code starts from.
#[derive(ToSchema)]
struct EventRepository {
    /// Its address.
    #[schema(value_type = texts::RepositoryAddress)]
    url: String,
    /// The branch; its default branch if none is named.
    #[schema(value_type = Option<texts::Branch>)]
    branch: Option<String>,
}

/// Bounds of a build, money in billionths of a US dollar.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct EventLimits {
    /// Seconds that one attempt at a task may take.
    task_timeout_seconds: u32,
    /// Seconds that the build may take from its acceptance.
    build_timeout_seconds: u32,
    /// What it may cost.
    max_cost_nano_usd: Option<u64>,
    /// Most tasks at work at the same time.
    max_parallel: u32,
    /// Most attempts at one task.
    max_attempts: u32,
}

/// Tokens and money of one model, money in billionths of a US dollar.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
struct EventTokens {
    /// Tokens sent, without those read from or written to a cache.
    input_tokens: u64,
    /// Tokens received.
    output_tokens: u64,
    /// Tokens read from a prompt cache.
    cache_read_tokens: u64,
    /// Tokens written to a prompt cache.
    cache_creation_tokens: u64,
    /// What they cost.
    cost_nano_usd: u64,
}

/// What something cost, by the name of the model.
struct EventUsage;

impl PartialSchema for EventUsage {
    fn schema() -> RefOr<Schema> {
        super::by_model(Ref::from_schema_name("EventTokens")).into()
    }
}

impl ToSchema for EventUsage {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("EventTokens".to_owned(), EventTokens::schema()));
    }
}

/// Which work: `plan`, `merge`, or a task by its number.
struct EventWork;

impl PartialSchema for EventWork {
    fn schema() -> RefOr<Schema> {
        let whole = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Making the plan, or merging the results of tasks."))
            .enum_values(Some(["plan", "merge"]));
        let task = ObjectBuilder::new()
            .schema_type(Type::Object)
            .description(Some("A task, by its number in the plan."))
            .property("task", u32::schema())
            .required("task");
        OneOfBuilder::new().item(whole).item(task).description(Some("Which work.")).into()
    }
}

impl ToSchema for EventWork {}

/// Why nothing is delivered to an endpoint.
#[derive(ToSchema)]
pub(crate) struct EventDisabledReason {
    /// Which kind of reason.
    kind: super::webhook::DisabledBecause,
    /// Since when every delivery had failed, if that is why.
    since: Option<DateTime<Utc>>,
}
