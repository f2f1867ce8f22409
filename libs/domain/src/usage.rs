//! What a run cost, by model, in units that add up exactly.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, ops::AddAssign};

/// Tokens and money of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelUsage {
    /// Tokens sent, without those read from or written to a cache.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Tokens read from a prompt cache.
    pub cache_read_tokens: u64,
    /// Tokens written to a prompt cache.
    pub cache_creation_tokens: u64,
    /// Cost in billionths of a US dollar: the CLI's prices are multiples of it, so sums have no rounding.
    pub cost_nano_usd: u64,
}

impl AddAssign<&Self> for ModelUsage {
    fn add_assign(&mut self, other: &Self) {
        // The figures come from outside: absurd ones must not overflow.
        let add = |sum: &mut u64, more| *sum = sum.saturating_add(more);
        add(&mut self.input_tokens, other.input_tokens);
        add(&mut self.output_tokens, other.output_tokens);
        add(&mut self.cache_read_tokens, other.cache_read_tokens);
        add(&mut self.cache_creation_tokens, other.cache_creation_tokens);
        add(&mut self.cost_nano_usd, other.cost_nano_usd);
    }
}

/// Tokens and money by model name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Usage {
    /// One entry for every model that was asked.
    pub by_model: BTreeMap<String, ModelUsage>,
}

impl Usage {
    /// Whether no model was asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_model.is_empty()
    }

    /// Whether nothing was used, be it that models were asked.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.by_model.values().all(|usage| *usage == ModelUsage::default())
    }

    /// The sum over all models.
    #[must_use]
    pub fn total(&self) -> ModelUsage {
        self.by_model.values().fold(ModelUsage::default(), |mut sum, usage| {
            sum += usage;
            sum
        })
    }
}

impl AddAssign<&Self> for Usage {
    fn add_assign(&mut self, other: &Self) {
        for (model, usage) in &other.by_model {
            *self.by_model.entry(model.clone()).or_default() += usage;
        }
    }
}
