//! `ETag` and `If-None-Match` of every document that has no version of its own: a hash of its text. It is made
//! all the same, but need not travel.

use crate::read::has_tag;
use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body::Body as _;
use sha2::{Digest as _, Sha256};

/// Longer ones are not read through for it.
const MOST_BYTES: usize = 4 << 20;

/// Tags an answer, and leaves its body away if the client has it.
pub(crate) async fn tag(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let path = request.uri().path();
    if !reads || !(path.starts_with("/v1/") || path == "/openapi.json") {
        return next.run(request).await;
    }
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let response = next.run(request).await;
    if response.status() != StatusCode::OK {
        return response;
    }
    let response =
        if response.headers().contains_key(header::ETAG) { response } else { hashed(response).await };
    match (response.headers().get(header::ETAG), known) {
        (Some(tag), Some(known)) if is_known(&known, tag) => not_modified(response.headers()),
        _ => response,
    }
}

async fn hashed(response: Response) -> Response {
    if response.body().size_hint().exact().is_none_or(|size| size > MOST_BYTES as u64) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    // A body in memory can be read.
    let Ok(bytes) = axum::body::to_bytes(body, MOST_BYTES).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let hash = Sha256::digest(&bytes);
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // Weak: compressed, it is the same document in other bytes.
    if let Ok(tag) = HeaderValue::try_from(format!("W/\"{digits}\"")) {
        parts.headers.insert(header::ETAG, tag);
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn is_known(known: &HeaderValue, tag: &HeaderValue) -> bool {
    tag.to_str().is_ok_and(|tag| has_tag(known, tag))
}

/// What tells about the document stays; what tells about its text goes.
fn not_modified(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    for name in [header::ETAG, header::VARY, header::LINK, header::CACHE_CONTROL] {
        for value in headers.get_all(&name) {
            response.headers_mut().append(&name, value.clone());
        }
    }
    response
}
