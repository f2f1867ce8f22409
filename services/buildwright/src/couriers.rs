//! The courier: put together, and shown to those who operate it.

use crate::{adapters::SystemClock, config::Config};
use courier::{Courier, Gauges, Sender};
use endpoints::Endpoints;
use ports::{Clock as _, Deliveries, EndpointList, EventStore, Leadership, ReadModels};
use std::sync::Arc;
use vitals::Metrics;

/// What sends messages to webhook endpoints, and pings.
pub(crate) fn sender(config: &Config, endpoints: Arc<Endpoints>) -> anyhow::Result<Sender> {
    let settings = egress::Settings {
        policy: config.api.webhooks.targets.clone(),
        user_agent: format!("buildwright/{}", env!("CARGO_PKG_VERSION")),
        ..egress::Settings::default()
    };
    let client = egress::Client::new(settings)?;
    Ok(Sender { client, endpoints, clock: Arc::new(SystemClock) })
}

/// A courier over a store.
pub(crate) fn courier<S>(
    store: &S,
    events: Arc<dyn EventStore>,
    endpoints: Arc<Endpoints>,
    leadership: Arc<dyn Leadership>,
    config: &Config,
) -> anyhow::Result<Courier>
where
    S: ReadModels + EndpointList + Deliveries + Clone + 'static,
{
    Ok(Courier {
        store: events,
        read_models: Arc::new(store.clone()),
        list: Arc::new(store.clone()),
        deliveries: Arc::new(store.clone()),
        sender: sender(config, Arc::clone(&endpoints))?,
        endpoints,
        leadership,
        settings: config.courier.clone(),
        gauges: Gauges::default(),
    })
}

/// What a courier tells of itself.
pub(crate) fn watch(metrics: &Metrics, gauges: &Gauges) {
    let of = |gauges: &Gauges| {
        let gauges = gauges.clone();
        move || gauges.snapshot()
    };
    let now = of(gauges);
    metrics.gauge("buildwright_webhook_endpoints", "Webhook endpoints that are delivered to", move || {
        figure(now().endpoints)
    });
    let now = of(gauges);
    metrics.gauge(
        "buildwright_webhook_lag_seconds",
        "How long the event waits that has waited longest to be sent for the first time",
        move || now().lag_seconds(SystemClock.now()),
    );
    let now = of(gauges);
    metrics.gauge_by(
        "buildwright_webhook_deliveries_unfinished",
        "Deliveries that are tried again, and those that were given up; counting stops at 100,000",
        "status",
        move || {
            let backlog = now().backlog;
            [("pending".to_owned(), figure(backlog.pending)), ("dead".to_owned(), figure(backlog.dead))]
        },
    );
    let now = of(gauges);
    metrics.counter_by(
        "buildwright_webhook_attempts",
        "Attempts to deliver, by how they ended",
        "result",
        move || {
            let now = now();
            let failed =
                now.failed.into_iter().map(|(error, count)| (error.name().to_owned(), figure(count)));
            failed.chain([("delivered".to_owned(), figure(now.delivered))]).collect::<Vec<_>>()
        },
    );
}

#[expect(clippy::cast_precision_loss, reason = "figures are as exact as they need to be")]
fn figure(count: u64) -> f64 {
    count as f64
}
