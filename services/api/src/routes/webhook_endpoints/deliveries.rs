use crate::{
    ApiSettings, App,
    read::{
        EndpointPath, EndpointPathError, FromParams, Params, ParamsError, Query, UNCONFIGURED, decode_cursor,
        encode_cursor,
    },
    wire::{DeliveryCursor, DeliveryList, DeliveryView, links, status_of},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{Uri, header};
use ports::{DeliveryFilter, DeliveryStatus, Position};

/// List the deliveries to a webhook endpoint
///
/// Newest event first. An event is in the list once it was attempted, or waits for an earlier one of its build.
#[utoipa::path(get, path = "/v1/webhook-endpoints/{id}/deliveries", operation_id = "listDeliveries", tag = "webhooks",
    params(
        ("id" = String, Path, description = "The webhook endpoint", example = "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("status" = Option<String>, Query, description = "Only `pending`, `delivered` or `dead` ones",
            max_length = 16, example = "dead"),
        ("limit" = Option<u32>, Query, description = "Most deliveries; 50 if not given", minimum = 1, maximum = 200),
        ("cursor" = Option<DeliveryCursor>, Query, description = "Where the page before ended: its `nextCursor`"),
    ),
    responses(
        (status = 200, description = "A page of deliveries", body = DeliveryList, headers(
            ("link" = String, description = "The first page, and the next, as `rel=\"next\"`, if there is one"),
        )),
        ParamsError, EndpointPathError,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.deliveries", skip_all, fields(endpoint.id = %loaded.id))]
pub(crate) async fn deliveries(
    State(app): State<App>,
    EndpointPath(loaded): EndpointPath,
    uri: Uri,
    Query(page): Query<Page>,
) -> Result<Response, EndpointPathError> {
    let unconfigured = || EndpointPathError::Unconfigured(UNCONFIGURED.to_owned());
    let delivering = app.delivering.as_ref().ok_or_else(unconfigured)?;
    let Page { status, before, limit } = page;
    let page = delivering
        .deliveries
        .deliveries(&DeliveryFilter { endpoint: loaded.id, status, before, limit })
        .await?;
    let last = page.deliveries.last().filter(|_| page.more);
    let next_cursor = last.map(|last| encode_cursor(last.id.position));
    let link = links(&uri, "cursor", next_cursor.as_deref())?;
    let deliveries = page.deliveries.into_iter().map(DeliveryView::from).collect();
    Ok(([(header::LINK, link)], Json(DeliveryList { deliveries, next_cursor })).into_response())
}

/// Which page is asked for.
pub(crate) struct Page {
    status: Option<DeliveryStatus>,
    before: Option<Position>,
    limit: usize,
}

impl FromParams for Page {
    fn from_params(params: &mut Params<'_>, _: &ApiSettings) -> Self {
        Self {
            status: params.parsed("status", status_of),
            before: params.parsed("cursor", |text| {
                let position = decode_cursor::<u64>(text).filter(|position| i64::try_from(*position).is_ok());
                position.map(Position).ok_or_else(|| "must be a nextCursor of this list".to_owned())
            }),
            limit: params.limit(50, 200),
        }
    }
}
