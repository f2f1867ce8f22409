use http::{Method, StatusCode};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};
use std::time::Duration;

/// Requests and how long their answers took to begin.
#[derive(Clone)]
pub struct HttpRequests {
    answered: Family<Answer, Counter>,
    durations: Family<Endpoint, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    method: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    route: String,
    method: &'static str,
}

const BUCKETS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

impl Default for HttpRequests {
    fn default() -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        Self { answered: Family::default(), durations: Family::new_with_constructor(histogram) }
    }
}

impl HttpRequests {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "buildwright_http_requests",
            "Requests answered, by the class of the status",
            self.answered.clone(),
        );
        registry.register(
            "buildwright_http_request_duration_seconds",
            "Time until an answer began; that of a long poll holds the wait it asked for",
            self.durations.clone(),
        );
    }

    /// Counts a request. `route` is the pattern that its path fitted, never the path: anybody can make up
    /// paths, and each would be counted apart for ever. `None` if it fitted none.
    pub fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, after: Duration) {
        let route = route.unwrap_or("(none)").to_owned();
        let method = known(method);
        self.durations.get_or_create(&Endpoint { route: route.clone(), method }).observe(after.as_secs_f64());
        self.answered.get_or_create(&Answer { route, method, status: class(status) }).inc();
    }
}

/// Methods can be made up too.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "(other)",
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}
