use crate::{
    ApiSettings, App,
    errors::{Fault, api_errors},
    feed::Streams,
    read::{BuildPath, FromParams, MOST_WHOLE, Params, ParamsError, Query, etag, is_current},
    wire::BuildView,
};
use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use commands::Loaded;
use domain::BuildId;
use http::{HeaderMap, StatusCode, header};
use ports::Version;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// Get a build
///
/// With `wait`, the answer comes when the build has ended, or as it stands when the time is over.
#[utoipa::path(get, path = "/v1/builds/{id}", operation_id = "getBuild", tag = "builds",
    params(
        ("id" = String, Path, description = "The build", example = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        ("wait" = Option<String>, Query, description = "How long to wait for its end, at most a minute: \
            `30s`, `500ms` or seconds", example = "30s", min_length = 1,
            max_length = 16, pattern = "^[0-9]+(ms|s|m)?$"),
        ("asOf" = Option<u64>, Query, description = "As it was at this version; not together with `wait`",
            minimum = 1),
        ("If-None-Match" = Option<String>, Header, max_length = 8192, description = "The entity tag of what is known already"),
    ),
    responses(
        (status = 200, description = "The build", body = BuildView,
            headers(("etag" = String, description = "Its version"))),
        (status = 304, description = "It is as `If-None-Match` says"),
        ParamsError, ShowError,
    ))]
#[tracing::instrument(name = "api.builds.show", skip_all, fields(build.id = %id))]
pub(crate) async fn show(
    State(app): State<App>,
    Extension(streams): Extension<Arc<Streams>>,
    BuildPath(id): BuildPath,
    Query(moment): Query<Moment>,
    headers: HeaderMap,
) -> Result<Response, ShowError> {
    let answer = |loaded: &Loaded| {
        if is_current(&headers, loaded.version) {
            return Some((loaded.version, None));
        }
        Some((loaded.version, Some(BuildView::of(id, loaded)?)))
    };
    let seen = match moment {
        Moment::AsOf(version) => answer(&as_of(&app, id, version).await?),
        Moment::Now { wait } => {
            let ended =
                if wait.is_zero() { None } else { streams.end_of(&app, id, Instant::now() + wait).await? };
            let seen = match ended {
                // The first who waited reads it for all.
                Some(version) => app.builds.read_since(id, version, answer).await?,
                None => app.builds.read(id, answer).await?,
            };
            seen.ok_or(ShowError::Unknown)?
        }
    };
    let (version, view) = seen.ok_or_else(|| Fault::internal("a build without its first event"))?;
    let tag = [(header::ETAG, etag(version))];
    Ok(match view {
        Some(view) => (tag, Json(view)).into_response(),
        None => (StatusCode::NOT_MODIFIED, tag).into_response(),
    })
}

async fn as_of(app: &App, id: BuildId, version: Version) -> Result<Loaded, ShowError> {
    if let Some(loaded) = app.builds.at(id, version).await? {
        return Ok(loaded);
    }
    let exists = app.builds.read(id, |_| ()).await?.is_some();
    Err(if exists { ShowError::VersionUnknown } else { ShowError::Unknown })
}

/// When a build is to be looked at.
pub(crate) enum Moment {
    /// As it was.
    AsOf(Version),
    /// As it is, once it has ended or the time is over.
    Now {
        /// The time.
        wait: Duration,
    },
}

impl FromParams for Moment {
    fn from_params(params: &mut Params<'_>, settings: &ApiSettings) -> Self {
        let most = settings.max_wait;
        let wait = params.parsed("wait", |text| {
            duration(text).filter(|wait| *wait <= most).ok_or_else(|| {
                format!("must be seconds, or a number with ms, s or m; at most {} s", most.as_secs())
            })
        });
        let as_of = params.whole("asOf", 1..=MOST_WHOLE);
        if wait.is_some() && as_of.is_some() {
            params.problem("asOf", "cannot be given together with wait");
        }
        match as_of {
            Some(version) => Self::AsOf(Version(version)),
            None => Self::Now { wait: wait.unwrap_or(Duration::ZERO) },
        }
    }
}

fn duration(text: &str) -> Option<Duration> {
    // As the description says; no time that anybody may wait is longer.
    if text.len() > 16 {
        return None;
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}

api_errors! {
    /// What looking at a build can be refused for.
    pub(crate) enum ShowError {
        NOT_FOUND "build_unknown": Unknown => "there is no such build",
        NOT_FOUND "version_unknown": VersionUnknown => "the build has not had this version",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_a_number_with_or_without_its_unit() {
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("7"), Some(Duration::from_secs(7)));
        assert_eq!(duration("1m"), Some(Duration::from_mins(1)));
        for text in [
            "",
            "s",
            "-1",
            "1.5s",
            "1h",
            "30 s",
            "99999999999999999999s",
            "307445734561825861m",
            "00000000000000001",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
