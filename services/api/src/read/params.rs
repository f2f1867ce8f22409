//! Query parameters and the headers that stand in for them.

use super::Problems;
use crate::{ApiSettings, App, errors::api_errors};
use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
use problem::{FieldError, Location};
use std::ops::RangeInclusive;

/// What can be read from the query string.
pub(crate) trait FromParams: Sized + Send {
    /// Reads it, noting every problem. With problems, the value is thrown away.
    fn from_params(params: &mut Params<'_>, settings: &ApiSettings) -> Self;
}

impl FromParams for () {
    fn from_params(_: &mut Params<'_>, _: &ApiSettings) -> Self {}
}

/// Parameters of the query string; `Query<()>` refuses any.
pub(crate) struct Query<T>(pub(crate) T);

api_errors! {
    /// What parameters can be refused for.
    pub(crate) enum ParamsError {
        BAD_REQUEST "invalid_parameters": Invalid(errors: Vec<FieldError>) => "the parameters are not valid",
    }
}

/// The parameters that have not been read yet.
pub(crate) struct Params<'h> {
    left: Vec<(String, String)>,
    headers: &'h HeaderMap,
    problems: Problems,
}

impl<T: FromParams> FromRequestParts<App> for Query<T> {
    type Rejection = ParamsError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ParamsError> {
        let left = match axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(pairs)) => pairs,
            // Pairs of texts can be read from any query string.
            Err(_) => Vec::new(),
        };
        let mut params = Params { left, headers: &parts.headers, problems: Problems::default() };
        let value = T::from_params(&mut params, &app.settings);
        for (name, _) in &params.left {
            params.problems.add_parameter(Location::Query, name, "unknown parameter");
        }
        params.problems.or(Self(value)).map_err(ParamsError::Invalid)
    }
}

/// The largest place or version: fifteen digits, which every reader of JSON holds exactly.
pub(crate) const MOST_WHOLE: u64 = 10u64.pow(MOST_DIGITS) - 1;
/// Its digits.
pub(crate) const MOST_DIGITS: u32 = 15;

impl Params<'_> {
    /// Every value of a parameter.
    pub(crate) fn all(&mut self, name: &str) -> Vec<String> {
        self.left.extract_if(.., |(given, _)| given == name).map(|(_, value)| value).collect()
    }

    /// A parameter that may be given once.
    pub(crate) fn one(&mut self, name: &str) -> Option<String> {
        let mut values = self.all(name);
        if values.len() > 1 {
            self.problem(name, "given more than once");
        }
        values.pop()
    }

    /// Notes a problem of a parameter.
    pub(crate) fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.add_parameter(Location::Query, name, message);
    }

    /// A parameter read by `read`, which says what would be right.
    pub(crate) fn parsed<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.one(name)?;
        read(&text).map_err(|message| self.problem(name, message)).ok()
    }

    /// A whole number within a range.
    pub(crate) fn whole(&mut self, name: &str, range: RangeInclusive<u64>) -> Option<u64> {
        self.parsed(name, |text| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
        })
    }

    /// How many elements to answer.
    pub(crate) fn limit(&mut self, default: usize, most: usize) -> usize {
        let given = self.whole("limit", 1..=most as u64);
        given.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(default)
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Option<bool> {
        self.parsed(name, |text| text.parse().map_err(|_| "must be true or false".to_owned()))
    }

    /// Where to go on: `Last-Event-ID`, which a browser sends by itself, before `?after=`.
    pub(crate) fn after(&mut self) -> u64 {
        const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
        let after = self.whole("after", 0..=MOST_WHOLE).unwrap_or(0);
        let last = self.headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty());
        let Some(last) = last else { return after };
        match last.to_str().ok().and_then(place) {
            Some(last) => last,
            None => {
                let message = "must be the id of an event of this stream: a whole number";
                self.problems.add_parameter(Location::Header, LAST_EVENT_ID.as_str(), message);
                after
            }
        }
    }
}

/// A place, of digits only: some that would be numbers in Rust are none in the description of the API.
fn place(text: &str) -> Option<u64> {
    let digits = text.len() <= MOST_DIGITS as usize && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}
