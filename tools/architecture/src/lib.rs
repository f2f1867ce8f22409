//! The rules of the repository that no compiler checks; `tests/` holds it to them.

pub mod machine_paths;
pub mod repository;
pub mod tiers;
