use super::{BuildWebhook, PlanDraft, texts};
use crate::read::Fields;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, SchemaType, Type},
};

/// An order for a build, as a client writes it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(examples(json!({ "prompt": "A command line tool that counts words" })))]
pub(crate) struct SubmitBuild {
    /// What is asked for.
    #[schema(min_length = 1, max_length = 100_000, pattern = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$")]
    pub(crate) prompt: String,
    /// The project whose repository receives the result. Every build that names none gets its own.
    #[schema(value_type = Option<texts::Project>)]
    pub(crate) project: Option<String>,
    /// Code to start from. Without it a build starts from the project's repository as it is.
    pub(crate) repository: Option<RepositoryDraft>,
    /// A hint for planning, such as `react` or `axum`.
    #[schema(min_length = 1, max_length = 100, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub(crate) framework: Option<String>,
    /// The client's own plan. With it, no plan is made.
    pub(crate) plan: Option<PlanDraft>,
    /// The model of every task that names no other.
    #[schema(value_type = Option<texts::ModelName>)]
    pub(crate) model: Option<String>,
    /// Bounds; those not given have defaults.
    pub(crate) limits: Option<LimitsDraft>,
    /// What goes first while executors are short: 10 before 0, 0 before -10. 0 if not given.
    #[schema(minimum = -10, maximum = 10)]
    pub(crate) priority: Option<i64>,
    /// The pool of executors that does it; `default` if not given. `GET /v1/executors` shows which there are.
    #[schema(value_type = Option<texts::Pool>)]
    pub(crate) pool: Option<String>,
    /// The client's own labels.
    #[schema(schema_with = labels_schema)]
    pub(crate) labels: Option<BTreeMap<String, Value>>,
    /// A webhook endpoint for this build only. It can be looked at, changed and deleted like any other.
    pub(crate) webhook: Option<BuildWebhook>,
}

fn labels_schema() -> ObjectBuilder {
    super::labels().schema_type(SchemaType::from_iter([Type::Object, Type::Null]))
}

/// A repository as a client writes it.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RepositoryDraft {
    /// `https://…` or `ssh://…`, without credentials; a local path where those are allowed.
    #[schema(value_type = texts::RepositoryAddress)]
    pub(crate) url: String,
    /// The branch to start from.
    #[schema(value_type = Option<texts::Branch>)]
    pub(crate) branch: Option<String>,
}

/// Bounds as a client writes them.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct LimitsDraft {
    /// Seconds that one attempt at a task may take.
    #[schema(minimum = 1, maximum = 86_400)]
    pub(crate) task_timeout_seconds: Option<u32>,
    /// Seconds that the build may take from its acceptance.
    #[schema(minimum = 1, maximum = 604_800)]
    pub(crate) build_timeout_seconds: Option<u32>,
    /// US dollars that it may cost; looked at whenever an attempt ends.
    #[schema(minimum = 0.000000001, maximum = 1_000_000)]
    pub(crate) max_cost_usd: Option<f64>,
    /// Most tasks at work at the same time.
    #[schema(minimum = 1, maximum = 1_000)]
    pub(crate) max_parallel: Option<u32>,
    /// Most attempts at one task.
    #[schema(minimum = 1, maximum = 10)]
    pub(crate) max_attempts: Option<u32>,
}

impl SubmitBuild {
    /// Reads one from a request.
    pub(crate) fn read(mut fields: Fields<'_>, bounds: &plan::Bounds) -> Self {
        let draft = Self {
            prompt: fields.required_text("prompt"),
            project: fields.text("project"),
            repository: fields.object("repository", RepositoryDraft::read),
            framework: fields.text("framework"),
            plan: fields.object("plan", |fields| PlanDraft::read(fields, bounds)),
            model: fields.text("model"),
            limits: fields.object("limits", LimitsDraft::read),
            priority: fields.integer("priority"),
            pool: fields.text("pool"),
            labels: fields.object("labels", |mut labels| labels.rest().into_iter().collect()),
            webhook: fields.object("webhook", BuildWebhook::read),
        };
        fields.finish();
        draft
    }
}

impl RepositoryDraft {
    fn read(mut fields: Fields<'_>) -> Self {
        let draft = Self { url: fields.required_text("url"), branch: fields.text("branch") };
        fields.finish();
        draft
    }
}

impl LimitsDraft {
    fn read(mut fields: Fields<'_>) -> Self {
        let draft = Self {
            task_timeout_seconds: fields.whole("taskTimeoutSeconds"),
            build_timeout_seconds: fields.whole("buildTimeoutSeconds"),
            max_cost_usd: fields.number("maxCostUsd"),
            max_parallel: fields.whole("maxParallel"),
            max_attempts: fields.whole("maxAttempts"),
        };
        fields.finish();
        draft
    }
}
