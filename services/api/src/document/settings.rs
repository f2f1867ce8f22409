//! Bounds that are settings, of which the document of a server tells its own, and bounds that are set elsewhere in
//! the code.

use crate::{ApiSettings, feed, read::Problems};
use domain::Failure;
use serde_json::{Value, json};

/// Writes them where they belong.
pub(crate) fn apply(document: &mut Value, settings: &ApiSettings) {
    let plan = &settings.plan_bounds;
    // What is longer is cut, and `…` says so.
    let (failure, told) = (Failure::MOST_CHARS + 1, Problems::MOST_CHARS + 1);
    let bounds = [
        ("SubmitBuild/prompt/maxLength", json!(settings.max_prompt_chars)),
        ("SubmitBuild/labels/maxProperties", json!(settings.max_labels)),
        ("LimitsDraft/taskTimeoutSeconds/maximum", json!(plan.timeout_seconds)),
        ("LimitsDraft/buildTimeoutSeconds/maximum", json!(settings.max_build_timeout_seconds)),
        ("LimitsDraft/maxParallel/maximum", json!(settings.max_parallel)),
        ("LimitsDraft/maxAttempts/maximum", json!(settings.max_attempts)),
        ("PlanDraft/summary/maxLength", json!(plan.text_chars)),
        ("PlanDraft/tasks/maxItems", json!(plan.tasks)),
        ("PlanDraft/dependencies/maxItems", json!(plan.dependencies)),
        ("Dependency/dependsOn/maxItems", json!(plan.dependencies)),
        ("TaskDraft/title/maxLength", json!(plan.text_chars)),
        ("TaskDraft/prompt/maxLength", json!(plan.text_chars)),
        ("TaskDraft/command/maxLength", json!(plan.text_chars)),
        ("TaskDraft/check/maxLength", json!(plan.text_chars)),
        ("TaskDraft/targets/maxItems", json!(plan.targets)),
        ("TaskDraft/timeoutSeconds/maximum", json!(plan.timeout_seconds)),
        ("TaskDraft/requires/maxItems", json!(plan::MOST_LABELS)),
        ("BuildView/prompt/maxLength", json!(settings.max_prompt_chars)),
        ("BuildView/labels/maxProperties", json!(settings.max_labels)),
        ("BuildSummary/labels/maxProperties", json!(settings.max_labels)),
        ("BuildSubmittedData/prompt/maxLength", json!(settings.max_prompt_chars)),
        ("BuildSubmittedData/labels/maxProperties", json!(settings.max_labels)),
        ("TaskList/tasks/maxItems", json!(plan.tasks)),
        ("PlanView/tasks/maxItems", json!(plan.tasks)),
        ("PlanView/dependencies/maxItems", json!(plan.dependencies)),
        ("PlanView/summary/maxLength", json!(plan.text_chars)),
        ("TaskView/title/maxLength", json!(plan.text_chars)),
        ("TaskView/prompt/maxLength", json!(plan.text_chars)),
        ("TaskView/command/maxLength", json!(plan.text_chars)),
        ("TaskView/check/maxLength", json!(plan.text_chars)),
        ("TaskView/targets/maxItems", json!(plan.targets)),
        ("TaskView/dependsOn/maxItems", json!(plan.tasks)),
        ("EventList/events/maxItems", json!(feed::MOST)),
        ("OutputList/lines/maxItems", json!(feed::MOST)),
        ("FailureView/message/maxLength", json!(failure)),
        ("EventFailure/message/maxLength", json!(failure)),
        ("Problem/errors/maxItems", json!(Problems::MOST)),
        ("FieldError/message/maxLength", json!(told)),
        ("FieldError/pointer/maxLength", json!(told)),
    ];
    let webhooks = &settings.webhooks;
    let of_endpoints = [
        ("description/maxLength", json!(webhooks.max_description_chars)),
        ("projects/maxItems", json!(webhooks.max_projects)),
        ("labels/maxProperties", json!(settings.max_labels)),
        ("headers/maxProperties", json!(webhooks.headers.max_headers)),
        ("headerNames/maxItems", json!(webhooks.headers.max_headers)),
        ("ratePerSecond/maximum", json!(webhooks.max_rate_per_second)),
        ("concurrency/maximum", json!(webhooks.max_concurrency)),
        ("timeoutSeconds/maximum", json!(webhooks.max_timeout_seconds)),
        ("graceSeconds/maximum", json!(webhooks.max_rotation_grace.as_secs())),
    ];
    const OF_ENDPOINTS: [&str; 6] = [
        "CreateWebhookEndpoint",
        "UpdateWebhookEndpoint",
        "WebhookEndpoint",
        "RotateSecret",
        "EndpointCreatedData",
        "EndpointUpdatedData",
    ];
    let of_endpoints = OF_ENDPOINTS
        .iter()
        .flat_map(|schema| of_endpoints.iter().map(move |(place, bound)| (*schema, *place, bound.clone())));
    let bounds = bounds.into_iter().filter_map(|(place, bound)| {
        let (schema, rest) = place.split_once('/')?;
        Some((schema, rest, bound))
    });
    for (schema, rest, bound) in bounds.chain(of_endpoints) {
        let pointer = format!("/components/schemas/{schema}/properties/{rest}");
        if let Some(found) = document.pointer_mut(&pointer) {
            *found = bound;
        }
    }
    let diff = "/paths/~1v1~1builds~1{id}~1diff/get/responses/200/content/text~1x-diff/schema";
    if let Some(Value::Object(schema)) = document.pointer_mut(diff) {
        // A character has at least a byte.
        schema.insert("maxLength".to_owned(), json!(settings.max_diff_bytes));
    }
    let pool = document.pointer_mut("/components/schemas/SubmitBuild/properties/pool");
    if let Some(Value::Object(schema)) = pool.filter(|_| !settings.pools.is_empty()) {
        let pools = settings.pools.iter().map(|name| json!(name));
        schema.insert("enum".to_owned(), pools.chain([Value::Null]).collect());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Differs from every default, so that a bound which is not written shows.
    fn others() -> ApiSettings {
        ApiSettings {
            max_prompt_chars: 777,
            max_labels: 777,
            max_build_timeout_seconds: 777,
            max_parallel: 777,
            max_attempts: 777,
            max_diff_bytes: 777,
            plan_bounds: plan::Bounds {
                tasks: 777,
                dependencies: 777,
                targets: 777,
                text_chars: 777,
                timeout_seconds: 777,
            },
            ..ApiSettings::default()
        }
    }

    fn count(value: &Value, wanted: &Value) -> usize {
        match value {
            Value::Object(fields) => fields.values().map(|field| count(field, wanted)).sum(),
            Value::Array(elements) => elements.iter().map(|element| count(element, wanted)).sum(),
            other => usize::from(other == wanted),
        }
    }

    #[test]
    fn the_document_of_a_server_tells_its_own_bounds_and_by_default_the_defaults() {
        let by_default = crate::document::openapi();
        let mut again = by_default.clone();
        apply(&mut again, &ApiSettings::default());
        assert_eq!(again, by_default);
        let mut changed = by_default.clone();
        apply(&mut changed, &others());
        // All but the number of labels of a task, which is no setting.
        assert_eq!(count(&changed, &json!(777)) - count(&by_default, &json!(777)), 37);
        let most = |document: &Value| {
            document["components"]["schemas"]["TaskDraft"]["properties"]["requires"]["maxItems"].clone()
        };
        assert_eq!(most(&changed), plan::MOST_LABELS);
    }
}
