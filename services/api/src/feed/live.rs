//! A request for a stream, and its answer.

use super::{
    Feed, Relay,
    follower::Follower,
    lines::Lines,
    places::{Full, Places, Transport},
    socket, sse,
};
use crate::{
    App,
    auth::{Caller, Standing},
    errors::{Fault, api_errors},
};
use axum::{
    extract::{FromRequestParts as _, OptionalFromRequestParts, WebSocketUpgrade},
    response::{IntoResponse, Response},
};
use connections::Hold;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use names::TenantName;
use std::sync::Arc;
use tokio::sync::SemaphorePermit;

/// What those who follow one server have in common.
pub(crate) struct Streams {
    relay: Arc<Relay>,
    lines: Lines,
    places: Arc<Places>,
}

impl Streams {
    /// Nobody follows yet.
    pub(crate) fn new(app: &App) -> Arc<Self> {
        let bounds = &app.settings.streams;
        let relay = Relay::new(app);
        let places = Places::new(bounds.max_followers, bounds.max_followers_per_tenant);
        let (open, refused) = (Arc::clone(&places), Arc::clone(&places));
        app.metrics.gauge_by("buildwright_followers", "Streams that are open", "transport", move || {
            open.count().map(|(transport, count)| (transport.to_owned(), number(count)))
        });
        app.metrics.counter("buildwright_followers_refused", "Streams refused for there being too many", {
            move || usize::try_from(refused.refused()).map_or(f64::MAX, number)
        });
        Arc::new(Self { relay, lines: Lines::new(Arc::clone(&app.output)), places })
    }

    /// Who reads events for all that follow them.
    pub(super) fn relay(&self) -> &Arc<Relay> {
        &self.relay
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn number(count: usize) -> f64 {
    count as f64
}

/// A request for a stream: for server-sent events by `Accept`, for a WebSocket by `Upgrade`.
pub(crate) struct Live {
    way: Way,
    tenant: TenantName,
    standing: Standing,
    /// What a connection that is taken over needs to keep.
    hold: Option<Hold>,
    streams: Arc<Streams>,
}

enum Way {
    Events,
    Socket(Box<WebSocketUpgrade>),
}

api_errors! {
    /// What a request for a stream can be refused for.
    pub(crate) enum LiveError {
        BAD_REQUEST "upgrade_invalid": Upgrade(detail: String) => "this is no request for a WebSocket",
        TOO_MANY_REQUESTS "too_many_followers": Tenant => "the tenant follows as many streams as it may at the same time",
        SERVICE_UNAVAILABLE "followers_exhausted": Process => "as many streams are followed here as can be",
    }
}

impl OptionalFromRequestParts<App> for Live {
    type Rejection = LiveError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Option<Self>, LiveError> {
        let way = if wants_socket(&parts.headers) {
            let upgrade = WebSocketUpgrade::from_request_parts(parts, app).await;
            Way::Socket(Box::new(upgrade.map_err(|rejection| LiveError::Upgrade(rejection.body_text()))?))
        } else if wants_events(&parts.headers) {
            Way::Events
        } else {
            return Ok(None);
        };
        let tenant = Caller::of(parts)?.tenant.clone();
        let known = parts.extensions.get::<Standing>().zip(parts.extensions.get::<Arc<Streams>>());
        let (standing, streams) =
            known.ok_or_else(|| Fault::internal("a stream without its surroundings"))?;
        let (standing, streams) = (standing.clone(), Arc::clone(streams));
        Ok(Some(Self { way, tenant, standing, hold: parts.extensions.get().cloned(), streams }))
    }
}

impl Live {
    /// Who reads events for all that follow them.
    pub(super) fn relay(&self) -> &Arc<Relay> {
        self.streams.relay()
    }

    /// The turn to find out in the store where to begin.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.relay().turn().await
    }

    /// Who reads lines of output for all that follow them.
    pub(super) fn lines(&self) -> &Lines {
        &self.streams.lines
    }

    /// The answer that carries a feed, or says why there is none.
    pub(crate) async fn answer(self, app: &App, feed: impl Feed) -> Response {
        let refused = match self.open(app, feed).await {
            Ok(response) => return response,
            Err(refused) => refused,
        };
        let again = matches!(refused, LiveError::Tenant).then_some(app.settings.retry_after);
        let mut response = refused.into_response();
        if let Some(after) = again {
            response.headers_mut().insert(header::RETRY_AFTER, after.as_secs().max(1).into());
        }
        response
    }

    async fn open(self, app: &App, mut feed: impl Feed) -> Result<Response, LiveError> {
        let transport = match self.way {
            Way::Events => Transport::Sse,
            Way::Socket(_) => Transport::WebSocket,
        };
        let place = self.streams.places.take(&self.tenant, transport).map_err(|full| match full {
            Full::Process => LiveError::Process,
            Full::Tenant => LiveError::Tenant,
        })?;
        feed.begin().await?;
        let follower = Follower::new(app.clone(), feed, self.standing, place);
        let mut response = match self.way {
            Way::Events => sse::respond(follower),
            Way::Socket(upgrade) => {
                socket::respond(*upgrade, follower, app.settings.streams.clone(), self.hold)
            }
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        Ok(response)
    }
}

fn wants_events(headers: &HeaderMap) -> bool {
    is_among(headers, &header::ACCEPT, "text/event-stream")
}

fn wants_socket(headers: &HeaderMap) -> bool {
    is_among(headers, &header::UPGRADE, "websocket")
}

fn is_among(headers: &HeaderMap, name: &http::HeaderName, wanted: &str) -> bool {
    let given = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .filter_map(|one| one.split(';').next())
        .any(|one| one.trim().eq_ignore_ascii_case(wanted))
}
