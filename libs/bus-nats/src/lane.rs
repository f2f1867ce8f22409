//! Which labels orders ask for: each combination is a lane of its pool, with a consumer of its own.

use crate::subjects::EXECUTORS;
use names::ExecutorLabel;
use std::{collections::BTreeSet, fmt};

/// A combination of labels, often none. Its text is a token of a subject.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Lane(BTreeSet<ExecutorLabel>);

impl Lane {
    pub(crate) fn of(labels: &[ExecutorLabel]) -> Self {
        Self(labels.iter().cloned().collect())
    }

    /// Whether it asks for nothing.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether an executor that has these labels may take its orders.
    pub(crate) fn suits(&self, labels: &[ExecutorLabel]) -> bool {
        self.0.iter().all(|label| labels.contains(label))
    }

    /// Who takes its orders.
    pub(crate) fn consumer(&self) -> String {
        if self.is_open() { EXECUTORS.to_owned() } else { format!("{EXECUTORS}_{self}") }
    }

    /// The lane that a consumer takes orders of, if it does.
    pub(crate) fn of_consumer(consumer: &str) -> Option<Self> {
        let rest = consumer.strip_prefix(EXECUTORS)?;
        if rest.is_empty() {
            return Some(Self::default());
        }
        let labels = rest.strip_prefix('_')?.split('_').map(|label| label.parse().ok());
        labels.collect::<Option<_>>().map(Self)
    }
}

/// Labels have no `_`, so no two lanes have the same text.
impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut labels = self.0.iter();
        match labels.next() {
            None => f.write_str("_"),
            Some(first) => {
                f.write_str(first.as_str())?;
                labels.try_for_each(|label| write!(f, "_{label}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<ExecutorLabel> {
        text.split_whitespace().map(|label| label.parse().unwrap()).collect()
    }

    #[test]
    fn a_lane_is_the_same_however_its_labels_are_ordered() {
        let lane = Lane::of(&labels("gpu arm64 gpu"));
        assert_eq!(lane, Lane::of(&labels("arm64 gpu")));
        assert_eq!(lane.to_string(), "arm64_gpu");
        assert_eq!(Lane::default().to_string(), "_");
    }

    #[test]
    fn a_consumer_says_whose_orders_it_takes() {
        for text in ["", "gpu", "arm64 gpu"] {
            let lane = Lane::of(&labels(text));
            assert_eq!(Lane::of_consumer(&lane.consumer()), Some(lane));
        }
        for foreign in ["", "driver", "executorsgpu", "executors_", "executors_GPU", "executors_a__b"] {
            assert_eq!(Lane::of_consumer(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn an_executor_takes_what_asks_for_nothing_that_it_lacks() {
        let suits = |lane, has| Lane::of(&labels(lane)).suits(&labels(has));
        assert!(suits("", "") && suits("", "gpu") && suits("gpu", "arm64 gpu"));
        assert!(!suits("gpu", "") && !suits("arm64 gpu", "gpu"));
    }
}
