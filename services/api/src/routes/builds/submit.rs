use crate::{
    App,
    auth::{Caller, OverQuota, Turn},
    errors::{Fault, api_errors},
    once::{Reserved, answer::ShownOnce},
    order::Order,
    read::{Body, BodyError, UNCONFIGURED, etag},
    routes::webhook_endpoints::ChangeRefused,
    subscription::OneOff,
    wire::{BuildView, SubmitBuild},
};
use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use commands::{ExecuteError, Expected};
use domain::{
    BuildId, EndpointId,
    build::{Command, Rejection},
};
use endpoints::Given;
use http::{HeaderValue, StatusCode, header};
use names::{ProjectName, ProjectNameError};
use ports::Principal;
use std::sync::Arc;
use webhooks::Secret;

/// Submit a build
///
/// The answer comes once the order is stored; `Location` says where to follow it. Everything wrong with the
/// request is named at once, and nothing is stored then. The secret that is made for a `webhook` is in this answer and
/// in no other: who may have to send the request again, under its `Idempotency-Key`, brings a secret along.
#[utoipa::path(post, path = "/v1/builds", operation_id = "submitBuild", tag = "builds",
    request_body = SubmitBuild,
    responses(
        (status = 202, description = "Accepted", body = BuildView, headers(
            ("location" = String, description = "Where the build is"),
            ("etag" = String, description = "Its version"),
        )),
        BodyError, SubmitError,
    ))]
#[tracing::instrument(name = "api.builds.submit", skip_all, fields(build.id))]
pub(crate) async fn submit(
    State(app): State<App>,
    Caller(who): Caller,
    reserved: Option<Reserved>,
    Body(mut order): Body<Order>,
) -> Result<Response, SubmitError> {
    let id = reserved.map_or_else(|| app.ids.build(), Reserved::build);
    tracing::Span::current().record("build.id", tracing::field::display(id));
    let _turn = Turn::take(&app, &who).await?;
    let webhook = webhook_of(&app, &who, id, order.webhook.take()).await?;
    let endpoint = webhook.as_ref().map(|webhook| webhook.id);
    let own_project = own_project(id).map_err(Fault::internal)?;
    let (spec, plan) = order.place(own_project, who.tenant.clone(), endpoint);
    let command = Command::Submit { spec, plan, at: app.clock.now() };
    match app.builds.execute(id, Arc::clone(&who.actor), command).await {
        // Who had the id before was carrying out this very request.
        Err(ExecuteError::Rejected(Rejection::AlreadySubmitted)) if reserved.is_some() => {}
        Err(error) => {
            if let Some(endpoint) = endpoint {
                take_back(&app, &who, endpoint, &error).await;
            }
            return Err(error.into());
        }
        Ok(_) => {}
    }
    let seen = app.builds.read(id, |loaded| Some((loaded.version, BuildView::of(id, loaded)?))).await?;
    let (version, view) = seen.flatten().ok_or_else(|| Fault::internal("the build was not stored"))?;
    let location = HeaderValue::from_str(&format!("/v1/builds/{id}")).map_err(Fault::internal)?;
    let headers = [(header::LOCATION, location), (header::ETAG, etag(version))];
    let Some(secret) = webhook.and_then(|webhook| webhook.made) else {
        return Ok((StatusCode::ACCEPTED, headers, Json(view)).into_response());
    };
    let view = view.with_secret(secret.reveal().to_string());
    let mut response = (StatusCode::ACCEPTED, headers, Json(view)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(ShownOnce);
    Ok(response)
}

/// The endpoint of one build.
struct Webhook {
    id: EndpointId,
    /// Its secret, if we made it.
    made: Option<Secret>,
}

/// Makes the endpoint that is ordered with a build, before the build: it is to be told of everything.
async fn webhook_of(
    app: &App,
    who: &Principal,
    build: BuildId,
    wanted: Option<OneOff>,
) -> Result<Option<Webhook>, SubmitError> {
    let Some(wanted) = wanted else { return Ok(None) };
    let endpoints = app.endpoints.as_ref();
    let endpoints = endpoints.ok_or_else(|| SubmitError::NoWebhooks(UNCONFIGURED.to_owned()))?;
    // Of the build's own id, so that the same request carried out again finds it.
    let (id, spec) = (EndpointId::new(build.ulid()), wanted.spec(build, &app.settings.webhooks));
    let ours = wanted.secret.is_none();
    let given = Given { secret: wanted.secret, ..Given::default() };
    let created = endpoints.create(id, Arc::clone(&who.actor), who.tenant.clone(), spec, given).await;
    let secret = created.map_err(ChangeRefused::from)?.secret;
    Ok(Some(Webhook { id, made: ours.then_some(secret) }))
}

/// An endpoint of a build that does not exist is of no use to anybody. Where it is not known whether the build exists,
/// it stays.
async fn take_back(app: &App, who: &Principal, endpoint: EndpointId, why: &ExecuteError) {
    let (Some(endpoints), false) = (&app.endpoints, matches!(why, ExecuteError::Store(_))) else { return };
    if let Err(error) = endpoints.delete(endpoint, Arc::clone(&who.actor), &Expected::Any).await {
        tracing::warn!(endpoint.id = %endpoint, %error, "the endpoint of a build that was not submitted stays");
    }
}

/// The project of a build that names none: its own, after its id.
fn own_project(id: BuildId) -> Result<ProjectName, ProjectNameError> {
    id.to_string().replace('_', "-").to_ascii_lowercase().parse()
}

api_errors! {
    /// What submitting can be refused for, the body apart.
    pub(crate) enum SubmitError {
        TOO_MANY_REQUESTS "quota_exceeded": Quota(detail: String) => "so many builds are open that no further one is taken",
        SERVICE_UNAVAILABLE "list_behind": Behind => "it cannot be said how many builds are open, try again",
        SERVICE_UNAVAILABLE "webhooks_not_configured": NoWebhooks(detail: String) => "there are no webhooks here",
        SERVICE_UNAVAILABLE "build_contended": Contended => "the build is being changed by others, try again",
    }
}

impl From<ChangeRefused> for SubmitError {
    fn from(refused: ChangeRefused) -> Self {
        match refused {
            ChangeRefused::Fault(fault) => Self::Fault(fault),
            // Nobody else knows the id but who carries out the same request.
            _ => Self::Contended,
        }
    }
}

impl From<OverQuota> for SubmitError {
    fn from(over: OverQuota) -> Self {
        match over {
            OverQuota::Open(most) => Self::Quota(format!("the API key may have {most} builds open at once")),
            OverQuota::Behind => Self::Behind,
            OverQuota::Fault(fault) => Self::Fault(fault),
        }
    }
}

impl From<ExecuteError> for SubmitError {
    fn from(error: ExecuteError) -> Self {
        match error {
            ExecuteError::Store(error) => Self::Fault(error.into()),
            ExecuteError::Contended => Self::Contended,
            // A new id has no events: any refusal is a defect.
            ExecuteError::Rejected(_) | ExecuteError::Outdated => Self::Fault(Fault::internal(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_that_names_no_project_has_one_of_its_own() {
        let id: BuildId = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        assert_eq!(own_project(id).unwrap().as_str(), "bld-01arz3ndektsv4rrffq69g5fav");
    }
}
