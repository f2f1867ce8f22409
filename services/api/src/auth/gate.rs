//! The way in. It stands before all that remembers requests or counts them.

use super::{Standing, access::Refusal, credential::Credential};
use crate::{App, errors::Fault};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use problem::Problem;
use std::{collections::HashSet, sync::Arc};

/// The documentation for browsers: its own router knows what is below.
const DOCS: &str = "/docs";

/// What everybody may ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenPaths(Arc<HashSet<String>>);

impl FromIterator<String> for OpenPaths {
    fn from_iter<I: IntoIterator<Item = String>>(paths: I) -> Self {
        Self(Arc::new(paths.into_iter().collect()))
    }
}

impl OpenPaths {
    /// What is nothing needs a key, too: nobody learns without one what there is.
    fn hold(&self, route: Option<&MatchedPath>) -> bool {
        route.is_some_and(|route| {
            let path = route.as_str();
            self.0.contains(path)
                || path.strip_prefix(DOCS).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }
}

/// Gives the request its principal, or refuses it.
pub(crate) async fn enter(
    State((app, open)): State<(App, OpenPaths)>,
    route: Option<MatchedPath>,
    mut request: Request,
    next: Next,
) -> Response {
    let credential = Credential::of(request.headers(), request.uri());
    let standing = Standing::of(&credential);
    match app.access.principal(credential, app.clock.now()).await {
        Ok(principal) => {
            request.extensions_mut().insert(principal);
            request.extensions_mut().insert(standing);
        }
        Err(refusal @ Refusal::InQuery) => return refusal.into_response(),
        // Health is asked for by those who know no key, or an old one, and while the store is away.
        Err(_) if open.hold(route.as_ref()) => {}
        Err(refusal) => return refusal.into_response(),
    }
    next.run(request).await
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        const NONE: &str = r#"Bearer realm="buildwright""#;
        const INVALID: &str = r#"Bearer realm="buildwright", error="invalid_token""#;
        let (code, title, challenge) = match self {
            Self::Missing => ("key_missing", "an API key is needed, as `Authorization: Bearer bw_…`", NONE),
            Self::Invalid => ("key_invalid", "this is no valid API key", INVALID),
            Self::Revoked => ("key_revoked", "the API key was revoked", INVALID),
            Self::Expired => ("key_expired", "the API key has expired", INVALID),
            Self::InQuery => (
                "key_in_query",
                "an API key belongs into a header; one that stood in an address is to be revoked",
                INVALID,
            ),
            Self::Store(error) => return Fault::from(error).into_response(),
        };
        let mut response = Problem::new(StatusCode::UNAUTHORIZED, code, title).into_response();
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        response
    }
}
