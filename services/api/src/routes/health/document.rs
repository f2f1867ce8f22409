use axum::{Extension, response::IntoResponse};
use bytes::Bytes;
use http::{HeaderValue, header};

/// The OpenAPI document, ready to send.
#[derive(Clone)]
pub(crate) struct Document(pub(crate) Bytes);

/// Get this description
///
/// In OpenAPI 3.1, with the bounds of this server.
#[utoipa::path(get, path = "/openapi.json", operation_id = "getOpenApi", tag = "operation",
    responses((status = 200, description = "The OpenAPI document", body = Object)))]
pub(crate) async fn document(Extension(Document(bytes)): Extension<Document>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes)
}
