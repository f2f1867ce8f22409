//! Settings of builds.

use super::set;
use ::api::ApiSettings;
use serde::Deserialize;
use std::num::{NonZeroU32, NonZeroUsize};

super::section! {
    /// What a build gets that does not say otherwise, and the most it may ask for.
    Builds {
        model: String,
        task_timeout_seconds: NonZeroU32,
        build_timeout_seconds: NonZeroU32,
        max_cost_usd: Dollars,
        max_parallel: NonZeroU32,
        max_attempts: NonZeroU32,
        most_build_timeout_seconds: NonZeroU32,
        most_task_timeout_seconds: NonZeroU32,
        most_parallel: NonZeroU32,
        most_attempts: NonZeroU32,
        most_tasks: NonZeroUsize,
        most_dependencies: usize,
        most_targets: NonZeroUsize,
    }
}

/// Money, in billionths of a US dollar.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(super) struct Dollars(u64);

impl TryFrom<f64> for Dollars {
    type Error = &'static str;

    fn try_from(dollars: f64) -> Result<Self, Self::Error> {
        if dollars.is_nan() || dollars < 1e-9 {
            return Err("must be more than 0");
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates; nobody sets more"
        )]
        Ok(Self((dollars * 1e9).round() as u64))
    }
}

/// What a build gets that asks for nothing may not be more than it could ask for.
pub(super) fn check(api: &ApiSettings) -> Result<(), String> {
    let limits = &api.default_limits;
    for (name, default, most) in [
        ("task_timeout_seconds", limits.task_timeout_seconds, api.plan_bounds.timeout_seconds),
        ("build_timeout_seconds", limits.build_timeout_seconds, api.max_build_timeout_seconds),
        ("max_parallel", limits.max_parallel, api.max_parallel),
        ("max_attempts", limits.max_attempts, api.max_attempts),
    ] {
        if default > most {
            let bound = format!("most_{}", name.trim_start_matches("max_"));
            return Err(format!("builds.{name} is {default}, which is more than builds.{bound}, {most}"));
        }
    }
    if api.default_model.trim().is_empty() {
        return Err("builds.model is empty".to_owned());
    }
    Ok(())
}

impl Builds {
    pub(super) fn apply(self, api: &mut ApiSettings) {
        let limits = &mut api.default_limits;
        set(&mut limits.task_timeout_seconds, self.task_timeout_seconds);
        set(&mut limits.build_timeout_seconds, self.build_timeout_seconds);
        set(&mut limits.max_parallel, self.max_parallel);
        set(&mut limits.max_attempts, self.max_attempts);
        limits.max_cost_nano_usd = self.max_cost_usd.map(|cost| cost.0).or(limits.max_cost_nano_usd);
        set(&mut api.default_model, self.model);
        set(&mut api.max_build_timeout_seconds, self.most_build_timeout_seconds);
        set(&mut api.plan_bounds.timeout_seconds, self.most_task_timeout_seconds);
        set(&mut api.max_parallel, self.most_parallel);
        set(&mut api.max_attempts, self.most_attempts);
        set(&mut api.plan_bounds.tasks, self.most_tasks);
        set(&mut api.plan_bounds.dependencies, self.most_dependencies);
        set(&mut api.plan_bounds.targets, self.most_targets);
    }
}
