//! Server-sent events.

use super::{
    Message,
    follower::{Follower, Turn},
};
use axum::{body::Body, response::Response};
use bytes::Bytes;
use futures::stream;
use http::{HeaderName, HeaderValue, header};
use std::convert::Infallible;

/// A comment, which clients skip.
const HEARTBEAT: Bytes = Bytes::from_static(b":\n\n");

pub(super) fn respond(follower: Follower) -> Response {
    let events = stream::unfold(Some(follower), |follower| async {
        let mut follower = follower?;
        let (event, goes_on) = match follower.next().await {
            Turn::Message(message) => (message.as_event(), Some(follower)),
            Turn::Heartbeat => (HEARTBEAT, Some(follower)),
            Turn::End(reason) => (Message::end(reason).ok()?.as_event(), None),
            Turn::Break(_) => return None,
        };
        Some((Ok::<_, Infallible>(event), goes_on))
    });
    let mut response = Response::new(Body::from_stream(events));
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        // nginx would hold events back otherwise.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
