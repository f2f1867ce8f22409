//! What a build says it used, against what the model says it reported.

use crate::ScriptedModel;
use serde_json::Value;
use std::collections::BTreeMap;

/// Tokens read, written, read from a cache and written to one.
type Tokens = [u64; 4];

/// Asserts that the accounts of the one build that a model served agree with the model's, to the unit: by model and
/// in all, and in money.
///
/// # Panics
/// When they do not.
pub fn assert_accounts_agree(model: &ScriptedModel, build: &Value) {
    let reported: BTreeMap<String, Tokens> = model
        .usage()
        .models
        .into_iter()
        .map(|(name, used)| {
            let cache = [used.cache_read_input_tokens, used.cache_creation_input_tokens];
            (name, [used.input_tokens, used.output_tokens, cache[0], cache[1]])
        })
        .collect();
    assert!(!reported.is_empty() && reported.values().all(|used| used[0] > 0), "{reported:?}");
    let by_model = build["usage"]["byModel"].as_object().expect("usage by model");
    let accounted: BTreeMap<String, Tokens> =
        by_model.iter().map(|(name, used)| (name.clone(), tokens(used))).collect();
    assert_eq!(accounted, reported);
    let mut total = [0; 4];
    let mut cost = 0;
    for (name, used) in &reported {
        total.iter_mut().zip(used).for_each(|(sum, more)| *sum += more);
        cost += nano_usd(name, *used);
    }
    assert_eq!(tokens(&build["usage"]), total);
    assert_eq!(nano_usd_of(&build["usage"]), cost, "{:#}", build["usage"]);
}

fn tokens(usage: &Value) -> Tokens {
    let fields = ["inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens"];
    fields.map(|field| usage[field].as_u64().expect("tokens"))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few dollars at most")]
fn nano_usd_of(usage: &Value) -> u64 {
    (usage["costUsd"].as_f64().expect("a cost") * 1e9).round() as u64
}

/// What tokens cost by the table that the CLI has built in, in billionths of a dollar.
fn nano_usd(model: &str, tokens: Tokens) -> u64 {
    let (read, written) = match model {
        name if name.contains("haiku") => (1_000, 5_000),
        name if name.contains("sonnet") => (3_000, 15_000),
        _ => (5_000, 25_000),
    };
    let [input, output, cache_read, cache_creation] = tokens;
    input * read + output * written + cache_read * read / 10 + cache_creation * read * 5 / 4
}
