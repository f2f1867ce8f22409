//! Where a request carries its key: in a header. Addresses end up in logs, histories and other people's logs, so a
//! key in the query string is refused even if it is right. A page that opens a WebSocket can set one header only, the
//! list of protocols: there a key is an entry of its own, which no answer repeats.

use http::{HeaderMap, HeaderName, Uri, header};
use ports::KeyText;

/// The header of those whose tools have no word for `Authorization`.
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Begins the entry of `Sec-WebSocket-Protocol` that is a key.
const PROTOCOL_START: &str = "bearer.";

/// Names of parameters that people put keys into.
const TELLING: [&str; 8] =
    ["key", "api_key", "apikey", "api-key", "x-api-key", "access_token", "token", "authorization"];

/// What a request carries.
#[derive(Debug)]
pub(super) enum Credential {
    /// Nothing.
    None,
    /// A text that can be a key.
    Key(KeyText),
    /// Something else, or more than one.
    Unusable,
    /// A key where it must not be.
    InQuery,
}

impl Credential {
    pub(super) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        if is_in_query(uri) {
            return Self::InQuery;
        }
        let mut given =
            headers.get_all(header::AUTHORIZATION).iter().map(|value| bearer(value.to_str().ok()));
        let others = headers.get_all(X_API_KEY).iter().map(|value| value.to_str().ok());
        let mut others = others.chain(protocols(headers));
        match (given.next().or_else(|| others.next()), given.next().or_else(|| others.next())) {
            (None, _) => Self::None,
            (Some(Some(text)), None) => text.trim().parse().map_or(Self::Unusable, Self::Key),
            (Some(_), _) => Self::Unusable,
        }
    }
}

/// The keys among the protocols that whoever opens a WebSocket offers.
fn protocols(headers: &HeaderMap) -> impl Iterator<Item = Option<&str>> {
    let upgrades = headers.contains_key(header::UPGRADE);
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter(move |_| upgrades);
    let offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    offered.filter_map(|protocol| protocol.trim().strip_prefix(PROTOCOL_START)).map(Some)
}

/// What follows `Bearer`.
fn bearer(value: Option<&str>) -> Option<&str> {
    let (scheme, text) = value?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(text)
}

fn is_in_query(uri: &Uri) -> bool {
    type Pairs = axum::extract::Query<Vec<(String, String)>>;
    let Some(query) = uri.query() else { return false };
    // As it stands, too: it may be escaped in a way that nobody reads.
    query.contains(KeyText::START)
        || Pairs::try_from_uri(uri).is_ok_and(|pairs| {
            pairs.iter().any(|(name, value)| {
                TELLING.contains(&name.to_ascii_lowercase().as_str()) || value.contains(KeyText::START)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(headers: &[(&'static str, &str)], uri: &str) -> Credential {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap())
        });
        Credential::of(&headers.collect(), &uri.parse().unwrap())
    }

    fn key() -> String {
        KeyText::from_random(&[1; 8], &[2; 32]).expose().to_owned()
    }

    #[test]
    fn a_key_is_read_from_either_header() {
        let key = key();
        for (name, value) in [
            ("authorization", format!("Bearer {key}")),
            ("authorization", format!("bearer  {key}")),
            ("x-api-key", key.clone()),
            ("sec-websocket-protocol", format!("buildwright.v1, bearer.{key}")),
        ] {
            let found = found(&[(name, &value), ("upgrade", "websocket")], "/v1/builds?limit=1");
            assert!(matches!(found, Credential::Key(found) if found.expose() == key), "{name}");
        }
        assert!(matches!(found(&[], "/v1/builds"), Credential::None));
        let protocol = format!("bearer.{key}");
        let without_upgrade = found(&[("sec-websocket-protocol", &protocol)], "/v1/builds");
        assert!(matches!(without_upgrade, Credential::None));
    }

    #[test]
    fn what_is_no_key_or_more_than_one_cannot_be_used() {
        let (key, bearer, protocol) = (key(), format!("Bearer {}", key()), format!("bearer.{}", key()));
        for headers in [
            vec![("authorization", "Basic dTpw")],
            vec![("authorization", "Bearer")],
            vec![("authorization", "Bearer bw_short")],
            vec![("authorization", key.as_str())],
            vec![("x-api-key", "")],
            vec![("x-api-key", key.as_str()), ("authorization", bearer.as_str())],
            vec![("x-api-key", key.as_str()), ("x-api-key", key.as_str())],
            vec![("sec-websocket-protocol", "bearer.bw_short"), ("upgrade", "websocket")],
            vec![("sec-websocket-protocol", &protocol), ("x-api-key", &key), ("upgrade", "websocket")],
        ] {
            assert!(matches!(found(&headers, "/"), Credential::Unusable), "{headers:?}");
        }
    }

    #[test]
    fn a_key_in_the_query_string_is_seen_under_any_name() {
        let key = key();
        for query in [
            format!("api_key={key}"),
            "API_KEY=something".to_owned(),
            "access_token=x".to_owned(),
            format!("label=a:{key}"),
            format!("x={}", key.replace("bw_", "%62w_")),
            key.clone(),
        ] {
            let found = found(&[("x-api-key", &key)], &format!("/v1/builds?{query}"));
            assert!(matches!(found, Credential::InQuery), "{query}");
        }
    }
}
