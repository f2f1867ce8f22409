use domain::{ModelUsage, Usage};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{
    ToSchema,
    openapi::schema::{ObjectBuilder, Ref},
};

/// Tokens and money, in all and by model.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UsageView {
    /// The sum over all models.
    #[serde(flatten)]
    total: Tokens,
    /// The parts of the sum, by model name.
    #[schema(schema_with = by_model)]
    by_model: BTreeMap<String, Tokens>,
}

/// Tokens and money.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// Tokens sent, without those read from or written to a cache.
    input_tokens: u64,
    /// Tokens received.
    output_tokens: u64,
    /// Tokens read from a prompt cache.
    cache_read_tokens: u64,
    /// Tokens written to a prompt cache.
    cache_creation_tokens: u64,
    /// Cost in US dollars.
    #[schema(minimum = 0)]
    cost_usd: f64,
}

fn by_model() -> ObjectBuilder {
    super::by_model(Ref::from_schema_name("Tokens"))
}

impl From<&ModelUsage> for Tokens {
    fn from(usage: &ModelUsage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            output_tokens: usage.output_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            cache_creation_tokens: usage.cache_creation_tokens,
            cost_usd: usd(usage.cost_nano_usd),
        }
    }
}

impl From<&Usage> for UsageView {
    fn from(usage: &Usage) -> Self {
        let by_model = usage.by_model.iter().map(|(model, usage)| (model.clone(), usage.into())).collect();
        Self { total: Tokens::from(&usage.total()), by_model }
    }
}

/// Dollars of billionths. An f64 holds fifteen digits: exact to the billionth up to a million dollars.
pub(crate) fn usd(nano: u64) -> f64 {
    nano as f64 / 1e9
}
