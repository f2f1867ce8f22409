//! Figures that somebody else keeps, read when they are looked at.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet},
    metrics::MetricType,
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// A figure and what tells it from the others of its family.
pub(crate) struct Sample {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: f64,
}

/// Whether a figure may go down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    Counter,
}

impl Kind {
    fn metric_type(self) -> MetricType {
        match self {
            Self::Gauge => MetricType::Gauge,
            Self::Counter => MetricType::Counter,
        }
    }

    fn encode(self, metric: &mut MetricEncoder<'_>, value: f64) -> fmt::Result {
        match self {
            Self::Gauge => metric.encode_gauge(&value),
            Self::Counter => metric.encode_counter::<NoLabelSet, _, f64>(&value, None),
        }
    }
}

struct Source {
    name: &'static str,
    help: &'static str,
    kind: Kind,
    read: Box<dyn Fn() -> Vec<Sample> + Send + Sync>,
}

/// Families by name.
#[derive(Clone, Default)]
pub(crate) struct Sampled(Arc<Mutex<BTreeMap<&'static str, Arc<Source>>>>);

impl Sampled {
    /// Adds a family; one of the same name that was there before is forgotten.
    pub(crate) fn register(
        &self,
        kind: Kind,
        name: &'static str,
        help: &'static str,
        read: impl Fn() -> Vec<Sample> + Send + Sync + 'static,
    ) {
        let source = Source { name, help, kind, read: Box::new(read) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Arc::new(source));
    }

    /// What to ask, without the lock: a closure that asks back must not wait for itself.
    fn sources(&self) -> Vec<Arc<Source>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources().iter().map(|source| source.name)).finish()
    }
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for source in self.sources() {
            let samples = (source.read)();
            if samples.is_empty() {
                continue;
            }
            let kind = source.kind.metric_type();
            let mut family = encoder.encode_descriptor(source.name, source.help, None, kind)?;
            for Sample { labels, value } in samples {
                if labels.is_empty() {
                    source.kind.encode(&mut family, value)?;
                } else {
                    source.kind.encode(&mut family.encode_family(&labels)?, value)?;
                }
            }
        }
        Ok(())
    }
}
