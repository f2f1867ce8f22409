//! What is told of a process, in the format that Prometheus reads.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use buildwright_vitals::{Metrics, PoolAttempts, PoolExecutors};
use http::{Method, StatusCode};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

fn metrics() -> Metrics {
    Metrics::new("driver", "1.2.3")
}

/// The value of a series, if it is told.
fn value(text: &str, series: &str) -> Option<f64> {
    let told = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(told.parse().unwrap())
}

fn by_pool<T: Copy>(pools: &[(&str, T)]) -> BTreeMap<String, T> {
    pools.iter().map(|(pool, of)| ((*pool).to_owned(), *of)).collect()
}

#[tokio::test]
async fn a_process_says_what_it_is() {
    let text = metrics().render().await;
    assert_eq!(value(&text, r#"buildwright_build_info{version="1.2.3",role="driver"}"#), Some(1.0));
    assert!(text.contains("# TYPE buildwright_build_info gauge\n"), "{text}");
    assert!(text.ends_with("# EOF\n"), "{text}");
}

#[tokio::test]
async fn a_gauge_is_read_whenever_somebody_looks() {
    let metrics = metrics();
    let figure = Arc::new(AtomicU64::new(3));
    let read = Arc::clone(&figure);
    metrics.watch_slots_used(move || read.load(Ordering::SeqCst));

    assert_eq!(value(&metrics.render().await, "buildwright_executor_slots_used"), Some(3.0));
    figure.store(4, Ordering::SeqCst);
    assert_eq!(value(&metrics.render().await, "buildwright_executor_slots_used"), Some(4.0));
}

#[tokio::test]
async fn a_figure_that_nobody_has_is_not_told_as_zero() {
    let metrics = metrics();
    metrics.gauge("depth", "Depth", || None);
    metrics.watch_attempts(BTreeMap::new);
    let text = metrics.render().await;
    assert!(!text.contains("depth") && !text.contains("attempts"), "{text}");
}

#[tokio::test]
async fn a_counter_is_told_as_a_total() {
    let metrics = metrics();
    metrics.counter("takes", "Orders taken", || 5.0);
    metrics.counter_by("losses", "Attempts lost", "pool", || [("gpu".to_owned(), 2.0)]);
    let text = metrics.render().await;
    assert_eq!(value(&text, "takes_total"), Some(5.0));
    assert_eq!(value(&text, r#"losses_total{pool="gpu"}"#), Some(2.0));
    assert!(text.contains("# TYPE takes counter\n"), "{text}");
}

#[tokio::test]
async fn work_and_executors_are_told_by_pool() {
    let metrics = metrics();
    metrics.watch_attempts(|| {
        by_pool(&[
            ("default", PoolAttempts { waiting: 7, queued: 2, running: 1 }),
            ("gpu", PoolAttempts::default()),
        ])
    });
    metrics.watch_executors(|| by_pool(&[("default", PoolExecutors { executors: 2, slots: 8 })]));
    metrics.watch_leading(|| true);

    let text = metrics.render().await;

    for (series, figure) in [
        (r#"buildwright_attempts_waiting{pool="default"}"#, 7.0),
        (r#"buildwright_attempts_queued{pool="default"}"#, 2.0),
        (r#"buildwright_attempts_running{pool="default"}"#, 1.0),
        (r#"buildwright_attempts_waiting{pool="gpu"}"#, 0.0),
        (r#"buildwright_executors{pool="default"}"#, 2.0),
        (r#"buildwright_executor_slots{pool="default"}"#, 8.0),
        ("buildwright_driver_leading", 1.0),
    ] {
        assert_eq!(value(&text, series), Some(figure), "{series} in\n{text}");
    }
}

#[tokio::test]
async fn lists_that_are_behind_show_it_and_never_less_than_nothing() {
    let metrics = metrics();
    metrics.watch_events(|| 10, || 4);
    assert_eq!(value(&metrics.render().await, "buildwright_projection_lag"), Some(6.0));
    // Another process appended in between: the head was read first.
    metrics.watch_events(|| 4, || 10);
    let text = metrics.render().await;
    assert_eq!(value(&text, "buildwright_projection_lag"), Some(0.0));
    assert_eq!(value(&text, "buildwright_events_head"), Some(4.0), "the later registration counts");
    assert_eq!(value(&text, "buildwright_events_projected"), Some(10.0));
}

#[tokio::test]
async fn names_that_clients_make_up_do_not_grow_the_answer_for_ever() {
    let metrics = metrics().with_most_series(2);
    let pools = || (0..1_000).map(|n| (format!("pool-{n:04}"), 1.0)).collect::<Vec<_>>();
    metrics.gauge_by("waiting", "Waiting", "pool", pools);

    let text = metrics.render().await;

    assert_eq!(text.matches("waiting{").count(), 3);
    assert_eq!(value(&text, r#"waiting{pool="pool-0001"}"#), Some(1.0));
    assert_eq!(value(&text, r#"waiting{pool="(other)"}"#), Some(998.0), "nothing is left out of the sum");
}

#[tokio::test]
async fn figures_that_must_be_asked_for_are_gathered_first() {
    let metrics = metrics();
    let (asked, told) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let figure = Arc::clone(&asked);
    metrics.gather(move || {
        let figure = Arc::clone(&figure);
        async move {
            tokio::task::yield_now().await;
            figure.store(9, Ordering::SeqCst);
        }
    });
    let read = Arc::clone(&told);
    metrics.watch_slots_used(move || {
        read.store(1, Ordering::SeqCst);
        asked.load(Ordering::SeqCst)
    });

    assert_eq!(value(&metrics.render().await, "buildwright_executor_slots_used"), Some(9.0));
    assert_eq!(told.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn whoever_cannot_be_asked_holds_the_others_up_for_a_moment_only() {
    let metrics = metrics().with_patience(Duration::from_millis(10));
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    metrics.gather(move || {
        let guard = SetOnDrop(Arc::clone(&flag));
        async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        }
    });
    metrics.watch_leading(|| false);

    let text = tokio::time::timeout(Duration::from_secs(20), metrics.render()).await.unwrap();

    assert_eq!(value(&text, "buildwright_driver_leading"), Some(0.0));
    assert!(dropped.load(Ordering::SeqCst), "nothing goes on in the background");
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_class_of_status() {
    let metrics = metrics();
    assert!(!metrics.render().await.contains("http"), "a role without an API says nothing of requests");
    let requests = metrics.http_requests();
    let ms = Duration::from_millis(3);

    requests.answered(Some("/v1/builds/{id}"), &Method::GET, StatusCode::OK, ms);
    requests.answered(Some("/v1/builds/{id}"), &Method::GET, StatusCode::NOT_MODIFIED, ms);
    requests.answered(Some("/v1/builds/{id}"), &Method::GET, StatusCode::OK, ms);
    for method in ["SPAM", "EGGS"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        requests.answered(None, &method, StatusCode::NOT_FOUND, ms);
    }

    let text = metrics.render().await;
    let total = |labels: &str| value(&text, &format!("buildwright_http_requests_total{{{labels}}}"));
    assert_eq!(total(r#"route="/v1/builds/{id}",method="GET",status="2xx""#), Some(2.0));
    assert_eq!(total(r#"route="/v1/builds/{id}",method="GET",status="3xx""#), Some(1.0));
    assert_eq!(total(r#"route="(none)",method="(other)",status="4xx""#), Some(2.0), "{text}");
    let duration = "buildwright_http_request_duration_seconds";
    let get = r#"route="/v1/builds/{id}",method="GET""#;
    let bucket = |le: &str| value(&text, &format!("{duration}_bucket{{le=\"{le}\",{get}}}"));
    assert_eq!(bucket("0.0025"), Some(0.0), "{text}");
    assert_eq!(bucket("0.005"), Some(3.0));
    assert_eq!(value(&text, &format!("{duration}_count{{{get}}}")), Some(3.0));
}
