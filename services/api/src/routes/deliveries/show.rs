use super::{DeliveryPath, DeliveryPathError};
use crate::{
    read::{ParamsError, Query},
    wire::DeliveryDetail,
};
use axum::Json;

/// Get a delivery
///
/// With every attempt: when, how long, what was answered, and why it failed.
#[utoipa::path(get, path = "/v1/deliveries/{id}", operation_id = "getDelivery", tag = "webhooks",
    params(("id" = String, Path, description = "The delivery", example = "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV_1")),
    responses((status = 200, description = "The delivery", body = DeliveryDetail), DeliveryPathError, ParamsError))]
#[tracing::instrument(name = "api.deliveries.show", skip_all, fields(delivery.id = %id))]
pub(crate) async fn show(
    DeliveryPath { id, delivering }: DeliveryPath,
    Query(()): Query<()>,
) -> Result<Json<DeliveryDetail>, DeliveryPathError> {
    let found = delivering.deliveries.delivery(id).await?;
    let (delivery, attempts) = found.ok_or(DeliveryPathError::Unknown)?;
    Ok(Json(DeliveryDetail::of(delivery, attempts)))
}
