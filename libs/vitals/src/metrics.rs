use crate::{
    HttpRequests,
    sampled::{Kind, Sample, Sampled},
};
use axum::response::{IntoResponse, Response};
use futures::{
    FutureExt as _,
    future::{BoxFuture, join_all},
};
use http::{HeaderValue, header};
use prometheus_client::{encoding::text, registry::Registry};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

type Gather = Arc<dyn Fn() -> BoxFuture<'static, ()> + Send + Sync>;

/// The figures of a process, in the text format that Prometheus reads (OpenMetrics).
///
/// A family registered under a name that is taken replaces the one before.
pub struct Metrics {
    registry: Registry,
    sampled: Sampled,
    http: HttpRequests,
    gathering: Mutex<Vec<Gather>>,
    patience: Duration,
    most_series: usize,
}

impl Metrics {
    /// What is told as the label's value where a family has more values than are told apart.
    const OTHER: &'static str = "(other)";

    /// The figures of a process of this role: what it is, and nothing more yet.
    #[must_use]
    pub fn new(role: &'static str, version: &'static str) -> Self {
        let (sampled, http) = (Sampled::default(), HttpRequests::default());
        let mut registry = Registry::default();
        http.register(&mut registry);
        registry.register_collector(Box::new(sampled.clone()));
        sampled.register(Kind::Gauge, "buildwright_build_info", "What runs here: always 1", move || {
            let labels = vec![("version", version.to_owned()), ("role", role.to_owned())];
            vec![Sample { labels, value: 1.0 }]
        });
        let (gathering, patience) = (Mutex::default(), Duration::from_secs(2));
        Self { registry, sampled, http, gathering, patience, most_series: 200 }
    }

    /// So long may gathering take; what is not there then is told as it was before. 2 s if not set.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// So many values of a label are told apart in one family; the rest are added up. 200 if not set.
    #[must_use]
    pub fn with_most_series(self, most_series: usize) -> Self {
        Self { most_series, ..self }
    }

    /// Requests that are answered over HTTP.
    #[must_use]
    pub fn http_requests(&self) -> HttpRequests {
        self.http.clone()
    }

    /// A figure that goes up and down; `None` where there is none at the moment.
    pub fn gauge<V: Into<Option<f64>> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> V + Send + Sync + 'static,
    ) {
        self.sampled.register(Kind::Gauge, name, help, single(read));
    }

    /// Such a figure for each value of a label.
    pub fn gauge_by<S: IntoIterator<Item = (String, f64)> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> S + Send + Sync + 'static,
    ) {
        self.sampled.register(Kind::Gauge, name, help, labelled(label, self.most_series, read));
    }

    /// A figure that only ever goes up, under a name without `_total`: that is added.
    pub fn counter<V: Into<Option<f64>> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> V + Send + Sync + 'static,
    ) {
        self.sampled.register(Kind::Counter, name, help, single(read));
    }

    /// Such a figure for each value of a label.
    pub fn counter_by<S: IntoIterator<Item = (String, f64)> + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        label: &'static str,
        read: impl Fn() -> S + Send + Sync + 'static,
    ) {
        self.sampled.register(Kind::Counter, name, help, labelled(label, self.most_series, read));
    }

    /// Something to be done before the figures are told, for those that must be asked for: it leaves them
    /// where their closures find them.
    pub fn gather<F: Future<Output = ()> + Send + 'static>(
        &self,
        gather: impl Fn() -> F + Send + Sync + 'static,
    ) {
        let gather: Gather = Arc::new(move || gather().boxed());
        self.gathering.lock().unwrap_or_else(PoisonError::into_inner).push(gather);
    }

    /// All figures as they are now.
    pub async fn render(&self) -> String {
        let gathering = self.gathering.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bounded = gathering.iter().map(|gather| tokio::time::timeout(self.patience, gather()));
        if join_all(bounded).await.iter().any(Result::is_err) {
            tracing::warn!("some figures could not be gathered in time");
        }
        let mut text = String::new();
        if text::encode(&mut text, &self.registry).is_err() {
            tracing::error!("figures could not be written");
        }
        text
    }

    /// The same as an answer.
    pub async fn answer(&self) -> Response {
        let media_type =
            HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
        ([(header::CONTENT_TYPE, media_type)], self.render().await).into_response()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("sampled", &self.sampled).finish_non_exhaustive()
    }
}

fn single<V: Into<Option<f64>> + 'static>(read: impl Fn() -> V) -> impl Fn() -> Vec<Sample> {
    move || read().into().into_iter().map(|value| Sample { labels: Vec::new(), value }).collect()
}

fn labelled<S: IntoIterator<Item = (String, f64)> + 'static>(
    label: &'static str,
    most: usize,
    read: impl Fn() -> S,
) -> impl Fn() -> Vec<Sample> {
    move || {
        let mut figures: Vec<(String, f64)> = read().into_iter().collect();
        // In order, so that the same ones are told apart every time.
        figures.sort_by(|a, b| a.0.cmp(&b.0));
        if figures.len() > most {
            let rest = figures.split_off(most).into_iter().map(|(_, value)| value).sum();
            figures.push((Metrics::OTHER.to_owned(), rest));
        }
        figures.into_iter().map(|(of, value)| Sample { labels: vec![(label, of)], value }).collect()
    }
}
