use crate::{
    ApiSettings, App,
    read::{EndpointPath, EndpointPathError, FromParams, Params, ParamsError, Query, UNCONFIGURED},
    wire::RedeliveredView,
};
use axum::{Json, extract::State};
use chrono::{DateTime, Utc};
use http::StatusCode;

/// Most deliveries that one statement changes.
const STEP: usize = 1_000;

/// Redeliver what was given up
///
/// Every dead delivery that was first attempted at that time or later is sent anew, under the same `webhook-id` and
/// with a new schedule.
#[utoipa::path(post, path = "/v1/webhook-endpoints/{id}/redeliver", operation_id = "redeliverSince", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("since" = DateTime<Utc>, Query, description = "From when on", example = "2026-03-01T12:00:00Z"),
    ),
    responses(
        (status = 202, description = "They are attempted anew", body = RedeliveredView),
        ParamsError, EndpointPathError,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.redeliver", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn redeliver(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
    Query(Since(since)): Query<Since>,
) -> Result<(StatusCode, Json<RedeliveredView>), EndpointPathError> {
    let unconfigured = || EndpointPathError::Unconfigured(UNCONFIGURED.to_owned());
    let delivering = app.delivering.as_ref().ok_or_else(unconfigured)?;
    let mut redelivered = 0;
    loop {
        let now = app.clock.now();
        let changed = delivering.deliveries.redeliver_since(loaded.id, since, now, STEP).await?;
        redelivered += changed;
        if changed < STEP as u64 {
            return Ok((StatusCode::ACCEPTED, Json(RedeliveredView { redelivered })));
        }
    }
}

/// From when on.
pub(crate) struct Since(DateTime<Utc>);

impl FromParams for Since {
    fn from_params(params: &mut Params<'_>, _: &ApiSettings) -> Self {
        const WRONG: &str = "must be a time such as 2026-03-01T12:00:00Z";
        let given = params.one("since");
        let since = given.and_then(|text| text.parse().ok());
        if since.is_none() {
            params.problem("since", WRONG);
        }
        Self(since.unwrap_or_default())
    }
}
