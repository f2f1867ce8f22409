//! Which methods a path has: in `Allow`, and as the answer to OPTIONS.

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderValue, Method, StatusCode, header};
use std::{collections::HashMap, sync::Arc};
use utoipa::openapi::{OpenApi, PathItem};

/// The methods of each documented path.
#[derive(Clone)]
pub(crate) struct Methods(Arc<HashMap<String, HeaderValue>>);

impl Methods {
    /// As the document says.
    pub(crate) fn of(document: &OpenApi) -> Self {
        let allow = |item: &PathItem| HeaderValue::try_from(names(item).join(", "));
        let paths = document.paths.paths.iter();
        Self(Arc::new(paths.filter_map(|(path, item)| Some((path.clone(), allow(item).ok()?))).collect()))
    }
}

fn names(item: &PathItem) -> Vec<&'static str> {
    let mut names = Vec::new();
    if item.get.is_some() {
        names.extend(["GET", "HEAD"]);
    }
    names.push("OPTIONS");
    for (name, operation) in
        [("PATCH", &item.patch), ("POST", &item.post), ("PUT", &item.put), ("DELETE", &item.delete)]
    {
        if operation.is_some() {
            names.push(name);
        }
    }
    names
}

/// Answers OPTIONS, and tells in every refusal of a method which there are.
pub(crate) async fn tell(
    State(methods): State<Methods>,
    path: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let asked = *request.method() == Method::OPTIONS;
    let mut response = next.run(request).await;
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    if asked {
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.body_mut() = Body::empty();
    }
    // Of other paths the router says it.
    if let Some(allow) = path.and_then(|path| methods.0.get(path.as_str()).cloned()) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
