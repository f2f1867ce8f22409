//! The endpoints.

use crate::{
    Action, ApiError, Ending, RequestRecord, ScriptedModel, UsageReport,
    frames::{Envelope, Frame},
    messages::MessagesRequest,
};
use axum::{
    Json, Router,
    body::Body,
    extract::{
        DefaultBodyLimit, Query, Request, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io,
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Long conversations with pictures are sent whole with every request.
const MAX_BODY: usize = 64 * 1024 * 1024;
/// What was written reaches the client before the connection breaks.
const BEFORE_CUT: Duration = Duration::from_millis(20);

type Model = State<Arc<ScriptedModel>>;

pub(crate) fn router(model: Arc<ScriptedModel>, stop: &CancellationToken) -> Router {
    Router::new()
        .route("/v1/messages", post(messages))
        .route("/v1/messages/count_tokens", post(count_tokens))
        .route("/v1/models", get(models))
        .route("/usage", get(usage))
        .route("/requests", get(requests))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&model), check_key))
        .route("/", get(root))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(stop.clone(), until_stopped))
        .with_state(model)
}

async fn until_stopped(State(stop): State<CancellationToken>, request: Request, next: Next) -> Response {
    let response = tokio::select! {
        response = next.run(request) => response,
        () = stop.cancelled() => {
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "shutting down").into_response();
        }
    };
    response.map(|body| Body::from_stream(body.into_data_stream().take_until(stop.cancelled_owned())))
}

async fn check_key(State(model): Model, request: Request, next: Next) -> Response {
    let given = given_key(request.headers());
    if model.key.as_ref().is_none_or(|key| given == Some(key.expose_secret())) {
        return next.run(request).await;
    }
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid x-api-key").into_response()
}

fn given_key(headers: &HeaderMap) -> Option<&str> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    text("x-api-key").or_else(|| text("authorization")?.strip_prefix("Bearer "))
}

/// The CLI asks for the root to see whether somebody is there.
async fn root() -> Json<Value> {
    Json(json!({"name": "buildwright scripted model"}))
}

async fn not_found(method: Method, uri: Uri) -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, format!("no such endpoint: {method} {}", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> ApiError {
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", uri.path()))
}

async fn models() -> Json<Value> {
    let ids = ["claude-opus-4-8", "claude-sonnet-5", "claude-haiku-4-5-20251001"];
    let data = ids.map(
        |id| json!({"type": "model", "id": id, "display_name": id, "created_at": "2026-01-01T00:00:00Z"}),
    );
    Json(json!({"data": data, "has_more": false, "first_id": ids[0], "last_id": ids[2]}))
}

async fn usage(State(model): Model) -> Json<UsageReport> {
    Json(model.ledger.usage())
}

#[derive(Deserialize)]
struct Newest {
    #[serde(default = "Newest::usual")]
    limit: usize,
}

impl Newest {
    fn usual() -> usize {
        100
    }
}

async fn requests(
    State(model): Model,
    newest: Result<Query<Newest>, QueryRejection>,
) -> Result<Json<Vec<RequestRecord>>, ApiError> {
    let Query(newest) = newest.map_err(|error| ApiError::invalid(error.body_text()))?;
    Ok(Json(model.ledger.requests(newest.limit)))
}

/// Four bytes a token is near enough for a model that does not read.
async fn count_tokens(body: Result<Bytes, BytesRejection>) -> Result<Json<Value>, ApiError> {
    let body = body.map_err(|error| unreadable(&error))?;
    MessagesRequest::parse(&body)?;
    Ok(Json(json!({"input_tokens": body.len().div_ceil(4)})))
}

fn unreadable(rejection: &BytesRejection) -> ApiError {
    ApiError::new(rejection.status(), rejection.body_text())
}

async fn messages(State(model): Model, body: Result<Bytes, BytesRejection>) -> Result<Response, ApiError> {
    let body = body.map_err(|error| unreadable(&error))?;
    let request = MessagesRequest::parse(&body)?;
    let streamed = request.stream;
    let conversation = request.into_conversation();
    let answer = model.engine.answer(&conversation);
    let number = model.ledger.note(&conversation, streamed, &answer.rule);
    tracing::debug!(number, model = conversation.model, rule = answer.rule, "scripted request");
    let reply = match answer.action {
        Action::Reply(reply) => reply,
        Action::Error(error, delay) => {
            tokio::time::sleep(delay).await;
            return Err(error);
        }
        Action::Hang => return std::future::pending().await,
    };
    tokio::time::sleep(reply.delay).await;
    let tag = tag(&body, number);
    let request_id = format!("req_{tag}");
    let envelope = Envelope { tag, model: conversation.model, reply };
    let content_type = if streamed { "text/event-stream; charset=utf-8" } else { "application/json" };
    let body = if streamed { stream_body(model, &envelope) } else { whole_body(&model, &envelope) };
    let headers = [
        (header::CONTENT_TYPE.as_str(), content_type),
        (header::CACHE_CONTROL.as_str(), "no-cache"),
        ("request-id", request_id.as_str()),
    ];
    Ok((headers, body).into_response())
}

/// Unlike all other requests of this server, and unlike those of the server that was asked before it.
fn tag(body: &[u8], number: u64) -> String {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    format!("{:016x}{number:06}", hasher.finish())
}

fn whole_body(model: &ScriptedModel, envelope: &Envelope) -> Body {
    let text = envelope.message().to_string();
    let end = match envelope.reply.ending {
        Ending::Whole => {
            model.ledger.report(&envelope.model, envelope.reply.usage);
            return Body::from(text);
        }
        Ending::Cut => Frame::Cut,
        Ending::Hang => Frame::Hang,
    };
    let half = text[..text.floor_char_boundary(text.len() / 2)].to_owned();
    let frames = [Frame::Event { bytes: half, paced: false }, end];
    Body::from_stream(stream::iter(frames).then(|frame| send(frame, Duration::ZERO)))
}

fn stream_body(model: Arc<ScriptedModel>, envelope: &Envelope) -> Body {
    let (name, usage, pace) = (envelope.model.clone(), envelope.reply.usage, envelope.reply.chunk_delay);
    let frames = stream::iter(envelope.frames()).then(move |frame| {
        if matches!(frame, Frame::Report(_)) {
            model.ledger.report(&name, usage);
        }
        send(frame, pace)
    });
    Body::from_stream(frames)
}

async fn send(frame: Frame, pace: Duration) -> io::Result<Bytes> {
    match frame {
        Frame::Event { bytes, paced } => {
            if paced && !pace.is_zero() {
                tokio::time::sleep(pace).await;
            }
            Ok(bytes.into())
        }
        Frame::Report(bytes) => Ok(bytes.into()),
        Frame::Cut => {
            tokio::time::sleep(BEFORE_CUT).await;
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, "cut by the script"))
        }
        Frame::Hang => std::future::pending().await,
    }
}
