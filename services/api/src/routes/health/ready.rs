use crate::{App, errors::api_errors};
use axum::{Json, extract::State};
use ports::Position;
use serde::Serialize;
use utoipa::ToSchema;
use vitals::NotReady;

/// The process is ready, and how far it has come.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Always `ready`.
    #[schema(max_length = 8, example = "ready")]
    status: &'static str,
    /// The `sequence` of the newest event.
    head: u64,
    /// The `sequence` up to which lists show events.
    projected: u64,
}

/// Ask whether the process can answer
///
/// Tries the event store and whatever else it needs, and says how far the lists are.
#[utoipa::path(get, path = "/readyz", operation_id = "getReadiness", tag = "operation",
    responses((status = 200, description = "It can", body = Readiness), ReadyError))]
pub(crate) async fn ready(State(app): State<App>) -> Result<Json<Readiness>, ReadyError> {
    if app.stop.is_cancelled() {
        return Err(ReadyError::Stopping);
    }
    let oldest = app.store.read_all(Position(0), 1);
    tokio::time::timeout(app.settings.ready_patience, oldest).await.map_err(|_| ReadyError::Slow)??;
    app.ready.check().await?;
    let head = app.store.head().borrow().0;
    let projected = app.read_models.projected().borrow().0;
    if head.saturating_sub(projected) > app.settings.max_projection_lag {
        return Err(ReadyError::Behind(format!("lists show events up to {projected} of {head}")));
    }
    Ok(Json(Readiness { status: "ready", head, projected }))
}

api_errors! {
    /// Why the process is not ready.
    pub(crate) enum ReadyError {
        SERVICE_UNAVAILABLE "stopping": Stopping => "the process is stopping",
        SERVICE_UNAVAILABLE "store_slow": Slow => "the event store does not answer in time",
        SERVICE_UNAVAILABLE "list_behind": Behind(detail: String) => "the lists are far behind what has happened",
        SERVICE_UNAVAILABLE "not_ready": Part(detail: String) => "a part is not ready",
    }
}

impl From<NotReady> for ReadyError {
    fn from(not_ready: NotReady) -> Self {
        match not_ready {
            NotReady::Stopping => Self::Stopping,
            NotReady::Parts(_) => Self::Part(not_ready.to_string()),
        }
    }
}
