//! Tokens and money, in integers, so that sums are exact.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use serde_json::Value;

/// What one model consumed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModelUsage {
    /// Tokens sent, apart from those below.
    pub input_tokens: u64,
    /// Tokens received.
    pub output_tokens: u64,
    /// Tokens sent that the cache already had.
    pub cache_read_tokens: u64,
    /// Tokens sent and put into the cache.
    pub cache_creation_tokens: u64,
    /// Price by the CLI's own table, in billionths of a US dollar.
    pub cost_nano_usd: u64,
}

/// What a run consumed, by the model names that the CLI uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// One entry per model.
    pub by_model: BTreeMap<String, ModelUsage>,
}

impl AddAssign for ModelUsage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.cache_read_tokens = self.cache_read_tokens.saturating_add(other.cache_read_tokens);
        self.cache_creation_tokens = self.cache_creation_tokens.saturating_add(other.cache_creation_tokens);
        self.cost_nano_usd = self.cost_nano_usd.saturating_add(other.cost_nano_usd);
    }
}

impl AddAssign<&Self> for Usage {
    fn add_assign(&mut self, other: &Self) {
        for (model, usage) in &other.by_model {
            *self.by_model.entry(model.clone()).or_default() += *usage;
        }
    }
}

impl Usage {
    /// All models together.
    #[must_use]
    pub fn total(&self) -> ModelUsage {
        let mut total = ModelUsage::default();
        for usage in self.by_model.values() {
            total += *usage;
        }
        total
    }

    /// From the `modelUsage` of a result line.
    pub(crate) fn from_model_usage(models: &Value) -> Self {
        let by_model = models.as_object().into_iter().flatten().map(|(model, usage)| {
            let tokens = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
            let usage = ModelUsage {
                input_tokens: tokens("inputTokens"),
                output_tokens: tokens("outputTokens"),
                cache_read_tokens: tokens("cacheReadInputTokens"),
                cache_creation_tokens: tokens("cacheCreationInputTokens"),
                cost_nano_usd: nano_usd(usage.get("costUSD").and_then(Value::as_f64).unwrap_or(0.0)),
            };
            (model.clone(), usage)
        });
        Self { by_model: by_model.collect() }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates and makes NaN and negative amounts zero"
)]
fn nano_usd(usd: f64) -> u64 {
    (usd * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_exact_where_its_float_is_not() {
        assert_eq!(nano_usd(0.008_100_000_000_000_001), 8_100_000);
        assert_eq!(nano_usd(0.1 + 0.2), 300_000_000);
        assert_eq!(nano_usd(f64::NAN), 0);
        assert_eq!(nano_usd(-1.0), 0);
        assert_eq!(nano_usd(f64::INFINITY), u64::MAX);
    }

    #[test]
    fn usages_add_up_by_model() {
        let part = |json: &str| Usage::from_model_usage(&serde_json::from_str(json).unwrap());
        let mut sum = part(r#"{"a":{"inputTokens":1,"outputTokens":2,"costUSD":0.1,"new":true}}"#);
        sum += &part(r#"{"a":{"inputTokens":10,"cacheReadInputTokens":5,"costUSD":0.2},"b":"odd"}"#);
        let a = ModelUsage {
            input_tokens: 11,
            output_tokens: 2,
            cache_read_tokens: 5,
            cache_creation_tokens: 0,
            cost_nano_usd: 300_000_000,
        };
        assert_eq!(sum.by_model["a"], a);
        assert_eq!(sum.by_model["b"], ModelUsage::default());
        assert_eq!(sum.total(), a);
    }
}
