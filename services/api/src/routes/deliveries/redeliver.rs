use super::{DeliveryPath, DeliveryPathError};
use crate::{App, wire::DeliveryView};
use axum::{Json, extract::State};
use http::StatusCode;

/// Redeliver
///
/// The event is sent anew, under the same `webhook-id` and with a new schedule, however it ended before. A disabled
/// endpoint gets it when it is enabled.
#[utoipa::path(post, path = "/v1/deliveries/{id}/redeliver", operation_id = "redeliver", tag = "webhooks",
    params(("id" = String, Path, description = "The delivery", example = "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV_1")),
    responses((status = 202, description = "It is attempted anew", body = DeliveryView), DeliveryPathError))]
#[tracing::instrument(name = "api.deliveries.redeliver", skip_all, fields(delivery.id = %id))]
pub(crate) async fn redeliver(
    State(app): State<App>,
    DeliveryPath { id, delivering }: DeliveryPath,
) -> Result<(StatusCode, Json<DeliveryView>), DeliveryPathError> {
    let delivery = delivering.deliveries.redeliver(id, app.clock.now()).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.ok_or(DeliveryPathError::Unknown)?.into())))
}
