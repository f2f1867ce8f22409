use crate::{
    ApiSettings, App,
    errors::{Fault, api_errors},
    read::{FromParams, Params, ParamsError, Query},
    wire::{ExecutorList, ExecutorView},
};
use axum::{Json, extract::State};
use names::PoolName;
use ports::BusError;

/// List executors
///
/// By name, as each described itself last. One that has been silent for some time is not in the list.
#[utoipa::path(get, path = "/v1/executors", operation_id = "listExecutors", tag = "executors",
    params(("pool" = Option<String>, Query, description = "Only this pool", example = "default",
        min_length = 1, max_length = 32, pattern = "^[a-z0-9][a-z0-9-]*$")),
    responses((status = 200, description = "The executors", body = ExecutorList), ParamsError, ExecutorsError))]
#[tracing::instrument(name = "api.executors.list", skip_all)]
pub(crate) async fn list(
    State(app): State<App>,
    Query(Of(pool)): Query<Of>,
) -> Result<Json<ExecutorList>, ExecutorsError> {
    let executors = app.roster.executors().await?;
    let wanted = executors.into_iter().filter(|one| pool.as_ref().is_none_or(|pool| one.pool == *pool));
    Ok(Json(ExecutorList { executors: wanted.map(ExecutorView::from).collect() }))
}

/// Whose executors are asked for.
pub(crate) struct Of(Option<PoolName>);

impl FromParams for Of {
    fn from_params(params: &mut Params<'_>, _: &ApiSettings) -> Self {
        Self(params.parsed("pool", |text| text.parse::<PoolName>().map_err(|error| error.to_string())))
    }
}

api_errors! {
    /// What listing executors can be refused for.
    pub(crate) enum ExecutorsError {}
}

impl From<BusError> for ExecutorsError {
    fn from(error: BusError) -> Self {
        Self::Fault(Fault::from(error))
    }
}
