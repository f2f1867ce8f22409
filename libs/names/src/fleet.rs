//! Names in a fleet of executors. They become parts of subjects and stream names, so their alphabet is small.

use crate::text::text;

/// Why a text is none of these names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {max} of `a-z`, `0-9` and `-`, starting with a letter or digit", max = MAX_BYTES)]
pub struct FleetNameError;

/// The longest of these names, in bytes.
const MAX_BYTES: usize = 32;

text! {
    /// A pool of executors: a build goes to the executors of one pool.
    PoolName, FleetNameError, check
}

text! {
    /// What an executor has and a task may ask for, such as `gpu` or `arm64`.
    ExecutorLabel, FleetNameError, check
}

text! {
    /// Whose builds they are. Tenants share executors fairly and see nothing of each other.
    TenantName, FleetNameError, check
}

impl Default for PoolName {
    /// `default`
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl Default for TenantName {
    /// `default`
    fn default() -> Self {
        Self("default".to_owned())
    }
}

fn check(text: String) -> Result<String, FleetNameError> {
    let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let fits = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if starts_well && fits && text.len() <= MAX_BYTES { Ok(text) } else { Err(FleetNameError) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_stand_in_a_subject() {
        for text in ["a", "gpu", "arm64", "team-7", "0"] {
            assert!(text.parse::<PoolName>().is_ok(), "{text:?}");
        }
        let long = "a".repeat(33);
        for text in ["", "-a", "A", "a.b", "a b", "a*", "a>", "ä", "a_b", &long] {
            assert!(text.parse::<PoolName>().is_err(), "{text:?}");
        }
    }
}
