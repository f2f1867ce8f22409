//! What the data of several events is made of.

use crate::wire::{FailureClass, by_model, texts, webhook::DisabledBecause};
use chrono::{DateTime, Utc};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, OneOfBuilder, Ref, Schema, Type},
    },
};

/// Why something failed.
#[derive(ToSchema)]
pub(crate) struct EventFailure {
    /// The class.
    class: FailureClass,
    /// What happened and, where known, what to do.
    #[schema(max_length = 2_001)]
    message: String,
}

/// Where a build's code starts from.
#[derive(ToSchema)]
pub(crate) struct EventRepository {
    /// Its address.
    #[schema(value_type = texts::RepositoryAddress)]
    url: String,
    /// The branch; its default branch if none is named.
    #[schema(value_type = Option<texts::Branch>)]
    branch: Option<String>,
}

/// What became of the values of a webhook endpoint's headers, which no event holds.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum HeaderValues {
    /// They stay.
    Kept,
    /// Others took their place.
    Replaced,
}

/// Bounds of a build, money in billionths of a US dollar.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct EventLimits {
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
pub(crate) struct EventTokens {
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
pub(crate) struct EventUsage;

impl PartialSchema for EventUsage {
    fn schema() -> RefOr<Schema> {
        by_model(Ref::from_schema_name("EventTokens")).into()
    }
}

impl ToSchema for EventUsage {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push(("EventTokens".to_owned(), EventTokens::schema()));
    }
}

/// Which work: `plan`, `merge`, or a task by its number.
pub(crate) struct EventWork;

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
    kind: DisabledBecause,
    /// Since when every delivery had failed, if that is why.
    since: Option<DateTime<Utc>>,
}
