//! What `once`, `rate`, `edge::freshness` and `edge::trace` add to every operation they apply to.

use super::answers::problem;
use serde_json::{Map, Value, json};

/// Describes it: parameters, headers and answers.
pub(crate) fn describe(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object_mut().into_iter().flatten() {
            match method.as_str() {
                "post" => once(operation),
                "get" if path.starts_with("/v1/") => tag(operation),
                _ => {}
            }
            if operation.get("security").is_some() {
                refuse(operation);
            }
            if path.starts_with("/v1/") {
                limit(operation);
            }
        }
    }
}

fn once(operation: &mut Value) {
    parameter(
        operation,
        "Idempotency-Key",
        json!({
            "description": "A name of the client's choice for this request. Sent again under it within a day, the same \
                request is answered as the first time and has no further effect; quotes around the name are optional",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-\\[\\]-~]+$" },
            "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
        }),
    );
    add(operation, "400", "`invalid_parameters`: the parameters are not valid");
    add(
        operation,
        "409",
        "`idempotency_in_flight`: a request with this Idempotency-Key is being carried out",
    );
    add(
        operation,
        "422",
        "`idempotency_key_reused`: this Idempotency-Key was given to a request that said something else",
    );
    for_each(
        operation,
        |status| status.starts_with('2'),
        "idempotency-replayed",
        &json!({
            "description": "`true` if this answer was given before; else it is not there",
            "schema": { "type": "string", "enum": ["true"] },
        }),
    );
    for_each(
        operation,
        |status| status == "409",
        "Retry-After",
        &json!({
            "description": "Seconds after which to try again, if the request is being carried out",
        }),
    );
}

fn refuse(operation: &mut Value) {
    add(operation, "429", "`too_many_requests`: too many requests, try again later");
    for_each(
        operation,
        |status| status == "429",
        "Retry-After",
        &json!({
            "description": "Seconds after which to try again",
        }),
    );
}

fn limit(operation: &mut Value) {
    let text = |example: &str| json!({ "type": "string", "maxLength": 512, "examples": [example] });
    for_each(
        operation,
        |_| true,
        "RateLimit-Policy",
        &json!({
            "description": "How much is allowed: `q` requests within `w` seconds, counted by each process for itself",
            "schema": text("\"requests\";q=600000;w=60;pk=:bG9jYWw=:"),
        }),
    );
    for_each(
        operation,
        |_| true,
        "RateLimit",
        &json!({
            "description": "What is left of it: `r` requests at once, and all of them in `t` seconds",
            "schema": text("\"requests\";r=599999;t=1;pk=:bG9jYWw=:"),
        }),
    );
}

fn tag(operation: &mut Value) {
    parameter(
        operation,
        "If-None-Match",
        json!({
            "description": "The entity tag of what is known already",
            "schema": { "type": "string", "maxLength": 8192 },
        }),
    );
    let pages =
        operation["parameters"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "limit"));
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    responses.entry("304").or_insert_with(|| json!({ "description": "It is as `If-None-Match` says" }));
    for_each(
        operation,
        |status| status == "200" || status == "304",
        "etag",
        &json!({
            "description": "Its version, or a hash of it; live streams have none",
        }),
    );
    if pages {
        for_each(
            operation,
            |status| status == "200",
            "link",
            &json!({
                "description": "The first page, and the next, as `rel=\"next\"`, if there is one; live streams have none",
            }),
        );
    }
}

/// Adds a header parameter, unless the operation describes it itself.
fn parameter(operation: &mut Value, name: &str, described: Value) {
    let Some(operation) = operation.as_object_mut() else { return };
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Some(parameters) = parameters.as_array_mut() else { return };
    if parameters.iter().any(|one| one["name"] == name) {
        return;
    }
    let mut parameter = described;
    parameter["name"] = json!(name);
    parameter["in"] = json!("header");
    parameter["required"] = json!(false);
    parameters.push(parameter);
}

/// Adds an error to those of its status.
pub(super) fn add(operation: &mut Value, status: &str, error: &str) {
    let Some(responses) = operation["responses"].as_object_mut() else { return };
    let known = responses.get(status).and_then(|response| response["description"].as_str());
    match known {
        Some(texts) if texts.contains(error) => {}
        Some(texts) => {
            let texts = format!("{texts}; {error}");
            responses[status]["description"] = json!(texts);
        }
        None => {
            responses.insert(status.to_owned(), problem(error));
        }
    }
}

/// Adds a header to answers, unless they describe it themselves.
fn for_each(operation: &mut Value, of: impl Fn(&str) -> bool, name: &str, header: &Value) {
    let responses = operation["responses"].as_object_mut().into_iter().flatten();
    for (_, response) in responses.filter(|(status, _)| of(status)) {
        let Some(response) = response.as_object_mut() else { continue };
        let headers: &mut Value = response.entry("headers").or_insert_with(|| Value::Object(Map::new()));
        if let Some(headers) = headers.as_object_mut() {
            headers.entry(name).or_insert_with(|| header.clone());
        }
    }
}
