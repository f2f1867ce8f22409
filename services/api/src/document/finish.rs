//! What is added to the document once the endpoints have described themselves.

use super::{answers, conventions, parameters, settings, shapes, webhooks};
use crate::ApiSettings;
use serde_json::{Value, json};

/// The whole document, for a server with these settings.
pub(crate) fn finish(described: &utoipa::openapi::OpenApi, settings: &ApiSettings) -> Value {
    // A document made of our own types can be written.
    let mut document = serde_json::to_value(described).unwrap_or_default();
    document["servers"] =
        json!([{ "url": "/", "description": "The server that answers with this document" }]);
    parameters::name(&mut document);
    conventions::describe(&mut document);
    answers::complete(&mut document);
    webhooks::add(&mut document);
    shapes::bound(&mut document);
    settings::apply(&mut document, settings);
    document
}

/// Every operation of the paths, with its path.
pub(crate) fn operations(document: &mut Value) -> impl Iterator<Item = (&str, &mut Value)> {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(path, operations)| {
        let operations = operations.as_object_mut().into_iter().flatten();
        operations.map(move |(_, operation)| (path.as_str(), operation))
    })
}
