//! `Idempotency-Key`: a POST that comes twice has its effect once, and both are answered alike.
//!
//! The record of a key is made before the request is carried out, with the id of what it creates in it. A process
//! that dies in between leaves a record that nobody holds after a while: who takes it over makes the same thing
//! again, under the same id, and so finds that it is there already.

pub(crate) mod answer;
mod key;

pub(crate) use key::IDEMPOTENCY_KEY;

use crate::{
    App,
    errors::{Fault, api_errors},
    read::{Problems, receive},
};
use answer::{Settled, settle};
use axum::{
    body::Body,
    extract::{OptionalFromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{BuildId, EndpointId};
use futures::FutureExt as _;
use http::{HeaderValue, Method, header, request::Parts};
use ports::{Abandoned, BeginRequest, Begun, Claim, Fingerprint, IdempotencyKey, Principal};
use problem::{FieldError, Location};
use sha2::{Digest as _, Sha256};
use std::{convert::Infallible, panic::AssertUnwindSafe, time::Duration};
use tracing::Instrument as _;
use ulid::Ulid;

/// Most keys that are removed by one statement.
const PRUNED_TOGETHER: usize = 1_000;

api_errors! {
    /// What a request with a key can be refused for.
    pub(crate) enum OnceError {
        BAD_REQUEST "invalid_parameters": Key(errors: Vec<FieldError>) => "the parameters are not valid",
        CONFLICT "idempotency_in_flight": InFlight => "a request with this Idempotency-Key is being carried out",
        UNPROCESSABLE_ENTITY "idempotency_key_reused": Reused =>
            "this Idempotency-Key was given to a request that said something else",
    }
}

/// The id of what a request creates, if it was reserved before the request was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserved(Ulid);

impl Reserved {
    /// As the id of a build.
    pub(crate) fn build(self) -> BuildId {
        BuildId::new(self.0)
    }

    /// As the id of a webhook endpoint.
    pub(crate) fn endpoint(self) -> EndpointId {
        EndpointId::new(self.0)
    }
}

impl OptionalFromRequestParts<App> for Reserved {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().copied())
    }
}

/// Carries a POST out once.
pub(crate) async fn once(State(app): State<App>, request: Request, next: Next) -> Response {
    if *request.method() != Method::POST {
        return next.run(request).await;
    }
    // What is nobody's cannot be told apart from what is somebody else's.
    let Some(whose) = request.extensions().get::<Principal>().map(whose) else {
        return next.run(request).await;
    };
    match key::of(request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => keyed(app, whose, key, request, next).await,
        Err(()) => {
            let mut problems = Problems::default();
            problems.add_parameter(Location::Header, IDEMPOTENCY_KEY.as_str(), key::WANTED);
            problems.or(()).map_err(OnceError::Key).into_response()
        }
    }
}

async fn keyed(app: App, whose: String, key: String, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = match receive(&parts.headers, body, &app.settings).await {
        Ok(body) => body,
        Err(error) => return error.into_response(),
    };
    let key = IdempotencyKey { scope: scope(&whose, &parts), key };
    let fingerprint = fingerprint(&parts, &body);
    let proposed = app.ids.build().ulid();
    let now = app.clock.now();
    let begin = BeginRequest {
        key: key.clone(),
        fingerprint,
        proposed,
        now,
        held_until: after(now, app.settings.idempotency.lease),
        kept_until: after(now, app.settings.idempotency.keep),
    };
    match app.idempotency.begin(begin).await {
        Ok(Begun::New { reserved }) => {
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(Reserved(reserved));
            to_its_end(app, Claim { key, holder: proposed }, request, next).await
        }
        Ok(Begun::Replay(kept)) => answer::replay(kept),
        Ok(Begun::InFlight) => in_flight(app.settings.retry_after),
        Ok(Begun::Mismatch) => OnceError::Reused.into_response(),
        Err(error) => Fault::from(error).into_response(),
    }
}

/// Carries a request out in a task of its own: a client that hangs up finds the answer when it asks again.
async fn to_its_end(app: App, claim: Claim, request: Request, next: Next) -> Response {
    let carried_out = async move {
        let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await else {
            abandon(&app, &claim, Abandoned::InDoubt).await;
            return None;
        };
        let (settled, response) = settle(response, app.settings.idempotency.max_answer_bytes).await;
        match settled {
            Settled::Abandoned(effect) => abandon(&app, &claim, effect).await,
            Settled::Kept(kept) => {
                let until = after(app.clock.now(), app.settings.idempotency.keep);
                // The client has its answer all the same. Who asks again takes the request over.
                if let Err(error) = app.idempotency.finish(&claim, kept, until).await {
                    tracing::warn!(%error, "an answer could not be kept");
                }
            }
        }
        Some(response)
    };
    match tokio::spawn(carried_out.in_current_span()).await {
        Ok(Some(response)) => response,
        // The panic hook has logged it.
        Ok(None) | Err(_) => Fault::internal("a handler panicked").into_response(),
    }
}

async fn abandon(app: &App, claim: &Claim, effect: Abandoned) {
    if let Err(error) = app.idempotency.abandon(claim, effect).await {
        tracing::warn!(%error, "an idempotency key stays in use until its time is over");
    }
}

fn in_flight(retry_after: Duration) -> Response {
    let mut response = OnceError::InFlight.into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs().max(1)));
    response
}

/// Whose an idempotency key is. Names hold no spaces.
fn whose(who: &Principal) -> String {
    let key = who.key.map_or_else(|| who.actor.to_string(), |key| key.to_string());
    format!("{} {key}", who.tenant)
}

/// Whose it is, and where it counts.
fn scope(whose: &str, parts: &Parts) -> String {
    format!("{whose} {} {}", parts.method, parts.uri.path())
}

fn fingerprint(parts: &Parts, body: &[u8]) -> Fingerprint {
    let mut hash = Sha256::new();
    // No method, target or header holds a line feed, so nothing can be shifted from one into the other.
    for part in [parts.method.as_str(), parts.uri.path(), parts.uri.query().unwrap_or_default()] {
        hash.update(part);
        hash.update("\n");
    }
    // With it the same change is another request: it may be made at one version only.
    for tags in parts.headers.get_all(header::IF_MATCH) {
        hash.update(tags);
        hash.update("\n");
    }
    hash.update("\n");
    hash.update(body);
    Fingerprint(hash.finalize().into())
}

fn after(now: DateTime<Utc>, time: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(time)
        .ok()
        .and_then(|time| now.checked_add_signed(time))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// Removes keys whose time is over, again and again.
pub(crate) async fn prune(app: App) {
    let mut every = tokio::time::interval(app.settings.idempotency.prune_every);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        loop {
            match app.idempotency.prune(app.clock.now(), PRUNED_TOGETHER).await {
                Ok(PRUNED_TOGETHER) => {}
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "old idempotency keys could not be removed");
                    break;
                }
            }
        }
    }
}
