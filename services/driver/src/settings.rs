//! How the driver gives out work.

use names::TenantName;
use std::{collections::HashMap, num::NonZeroU32, time::Duration};

/// How the driver gives out work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many attempts may be in the queue that nobody has started.
    pub window: Window,
    /// The tenants whose share is not 1. While executors are short, a tenant of weight 3 is given three attempts
    /// for one of a tenant of weight 1.
    pub weights: HashMap<TenantName, NonZeroU32>,
    /// Most attempts that are being offered at the same time.
    pub offers_at_once: usize,
    /// How long the queue is left alone after it took no offer.
    pub again: Duration,
    /// The pause between two looks at all open builds, for what got lost on its way.
    pub sweep_interval: Duration,
    /// How long the order of an attempt must have been missing in the queue before the attempt is lost: longer
    /// than a report may be on its way.
    pub grace: Duration,
    /// The pause between two questions how many slots the executors have.
    pub roster_interval: Duration,
    /// How many events back a new leader looks for orders that the one before may not have withdrawn.
    pub overlap: u64,
    /// Most builds that recovery reads at the same time.
    pub reads_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            window: Window::default(),
            weights: HashMap::new(),
            offers_at_once: 128,
            again: Duration::from_millis(200),
            sweep_interval: Duration::from_secs(10),
            grace: Duration::from_secs(30),
            roster_interval: Duration::from_secs(5),
            overlap: 10_000,
            reads_at_once: 16,
        }
    }
}

/// How many attempts may be in the queue that nobody has started, for each pool and set of labels. What comes on
/// top waits in the driver, where it can still be overtaken: a small window is fair, a large one never leaves a
/// slot without work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// So many.
    Fixed(usize),
    /// As many as the executors that could take them can be expected to start soon.
    BySlots {
        /// At least so many.
        least: usize,
        /// For each slot.
        per_slot: usize,
    },
}

impl Default for Window {
    fn default() -> Self {
        Self::BySlots { least: 64, per_slot: 2 }
    }
}

impl Window {
    /// The window before so many slots; never closed.
    pub(crate) fn size(self, slots: usize) -> usize {
        match self {
            Self::Fixed(size) => size.max(1),
            Self::BySlots { least, per_slot } => slots.saturating_mul(per_slot).max(least).max(1),
        }
    }
}
