use super::{Managing, ManagingError};
use crate::{
    ApiSettings, App,
    errors::api_errors,
    read::{FromParams, Params, ParamsError, Query, catch_up, decode_cursor, encode_cursor},
    wire::{EndpointCursor, WebhookEndpoint, WebhookEndpointList, links},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use domain::EndpointId;
use endpoints::Loaded;
use http::{Uri, header};
use ports::{EndpointFilter, EndpointRow};

/// List webhook endpoints
///
/// Newest first, without those that were made for one build. An endpoint is in the list as soon as its creation was
/// answered.
#[utoipa::path(get, path = "/v1/webhook-endpoints", operation_id = "listWebhookEndpoints", tag = "webhooks",
    params(
        ("limit" = Option<u32>, Query, description = "Most endpoints; 50 if not given", minimum = 1, maximum = 200),
        ("cursor" = Option<EndpointCursor>, Query, description = "Where the page before ended: its `nextCursor`"),
    ),
    responses(
        (status = 200, description = "A page of endpoints", body = WebhookEndpointList, headers(
            ("link" = String, description = "The first page, and the next, as `rel=\"next\"`, if there is one"),
        )),
        ParamsError, ManagingError, ListError,
    ))]
#[tracing::instrument(name = "api.webhook_endpoints.list", skip_all)]
pub(crate) async fn list(
    State(app): State<App>,
    Managing { who, .. }: Managing,
    uri: Uri,
    Query(Page { before, limit }): Query<Page>,
) -> Result<Response, ListError> {
    catch_up(&app).await.map_err(|_| ListError::Behind)?;
    let filter = EndpointFilter { tenant: who.tenant, before, limit };
    let page = app.endpoint_list.endpoints(&filter).await?;
    let next_cursor = page.endpoints.last().filter(|_| page.more).map(|last| encode_cursor(last.id));
    let link = links(&uri, "cursor", next_cursor.as_deref())?;
    let view = |EndpointRow { id, version, endpoint }| WebhookEndpoint::of(Loaded { id, version, endpoint });
    let endpoints = page.endpoints.into_iter().map(view).collect();
    Ok(([(header::LINK, link)], Json(WebhookEndpointList { endpoints, next_cursor })).into_response())
}

/// Which page is asked for.
pub(crate) struct Page {
    before: Option<EndpointId>,
    limit: usize,
}

impl FromParams for Page {
    fn from_params(params: &mut Params<'_>, _: &ApiSettings) -> Self {
        Self {
            before: params.parsed("cursor", |text| {
                decode_cursor(text).ok_or_else(|| "must be a nextCursor of this list".to_owned())
            }),
            limit: params.limit(50, 200),
        }
    }
}

api_errors! {
    /// What listing can be refused for.
    pub(crate) enum ListError {
        SERVICE_UNAVAILABLE "list_behind": Behind => "the list is behind what has happened, try again",
    }
}
