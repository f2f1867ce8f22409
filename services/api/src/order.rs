//! From a request to the build it orders: the meaning of fields whose types already fit.

use crate::{
    ApiSettings,
    read::{Fields, FromJson, Problems},
    subscription::OneOff,
    wire::{LABEL_KEY_CHARS, LABEL_VALUE_CHARS, LimitsDraft, RepositoryDraft, SubmitBuild},
};
use domain::{
    EndpointId,
    build::{BuildSpec, Limits, Priority, Repository},
};
use names::{BranchName, PoolName, ProjectName, RepositoryUrl, TenantName};
use plan::Plan;
use serde_json::Value;
use std::{collections::BTreeMap, str::FromStr};

/// A build that may be submitted, but for its project's name if it is to have its own.
pub(crate) struct Order {
    spec: OpenSpec,
    plan: Option<Plan>,
    /// An endpoint for it.
    pub(crate) webhook: Option<OneOff>,
}

struct OpenSpec {
    prompt: String,
    project: Option<ProjectName>,
    repository: Option<Repository>,
    framework: Option<String>,
    model: String,
    limits: Limits,
    labels: BTreeMap<String, String>,
    priority: Priority,
    pool: PoolName,
}

impl Order {
    /// What a tenant ordered, with the project the client named or else this one, and the endpoint that was made
    /// for it.
    pub(crate) fn place(
        self,
        own_project: ProjectName,
        tenant: TenantName,
        webhook: Option<EndpointId>,
    ) -> (BuildSpec, Option<Plan>) {
        let OpenSpec { prompt, project, repository, framework, model, limits, labels, priority, pool } =
            self.spec;
        let project = project.unwrap_or(own_project);
        let spec = BuildSpec {
            prompt,
            project,
            repository,
            framework,
            model,
            limits,
            labels,
            tenant,
            priority,
            pool,
            webhook,
        };
        (spec, self.plan)
    }
}

impl FromJson for Order {
    fn from_json(value: Value, settings: &ApiSettings, problems: &mut Problems) -> Self {
        let draft = SubmitBuild::read(Fields::of(value, "", problems), &settings.plan_bounds);
        check_prompt(&draft.prompt, settings, problems);
        check_framework(draft.framework.as_deref(), problems);
        let spec = OpenSpec {
            project: draft.project.and_then(|name| parsed(&name, "/project", problems)),
            repository: draft.repository.and_then(|draft| repository(draft, settings, problems)),
            model: model(draft.model, settings, problems),
            limits: limits(draft.limits.unwrap_or_default(), settings, problems),
            labels: labels(draft.labels.unwrap_or_default(), settings, problems),
            priority: draft.priority.map_or_else(Priority::default, |number| priority(number, problems)),
            pool: pool(draft.pool, settings, problems),
            prompt: draft.prompt,
            framework: draft.framework,
        };
        // What the fields of a plan mean together can only be said if each of them could be read.
        let readable = draft.plan.filter(|_| !problems.any_below("/plan"));
        let plan = readable.and_then(|draft| check_plan(draft.into(), settings, problems));
        let webhook = draft.webhook.and_then(|draft| OneOff::of(draft, &settings.webhooks, problems));
        Self { spec, plan, webhook }
    }
}

fn check_prompt(prompt: &str, settings: &ApiSettings, problems: &mut Problems) {
    let most = settings.max_prompt_chars;
    if prompt.trim().is_empty() {
        problems.add("/prompt", "must not be empty");
    } else if prompt.chars().count() > most {
        problems.add("/prompt", format!("must have at most {most} characters"));
    } else if prompt.contains('\0') {
        problems.add("/prompt", "must not contain a NUL character");
    }
}

fn check_framework(framework: Option<&str>, problems: &mut Problems) {
    let Some(text) = framework else { return };
    if text.trim().is_empty() || text.chars().count() > 100 || text.chars().any(char::is_control) {
        problems.add("/framework", "must have 1 to 100 characters, none of them a control character");
    }
}

fn parsed<T: FromStr<Err: ToString>>(text: &str, pointer: &str, problems: &mut Problems) -> Option<T> {
    text.parse().map_err(|error: T::Err| problems.add(pointer, error.to_string())).ok()
}

fn repository(draft: RepositoryDraft, settings: &ApiSettings, problems: &mut Problems) -> Option<Repository> {
    let url: Option<RepositoryUrl> = parsed(&draft.url, "/repository/url", problems);
    let allowed = url.and_then(|url| {
        if settings.allow_local_repositories {
            return Some(url);
        }
        url.require_remote().map_err(|error| problems.add("/repository/url", error.to_string())).ok()
    });
    let branch: Option<Option<BranchName>> = match draft.branch {
        None => Some(None),
        Some(name) => parsed(&name, "/repository/branch", problems).map(Some),
    };
    Some(Repository { url: allowed?, branch: branch? })
}

fn priority(number: i64, problems: &mut Problems) -> Priority {
    Priority::try_from(number)
        .map_err(|error| problems.add("/priority", error.to_string()))
        .unwrap_or_default()
}

/// A queue is made for every pool that is named, and waits for executors for ever.
fn pool(given: Option<String>, settings: &ApiSettings, problems: &mut Problems) -> PoolName {
    let pool = given.and_then(|name| parsed(&name, "/pool", problems)).unwrap_or_default();
    if !settings.pools.is_empty() && !settings.pools.contains(&pool) {
        let names: Vec<String> = settings.pools.iter().map(|name| format!("`{name}`")).collect();
        problems.add("/pool", format!("must be one of {}", names.join(", ")));
    }
    pool
}

fn model(given: Option<String>, settings: &ApiSettings, problems: &mut Problems) -> String {
    let Some(name) = given else { return settings.default_model.clone() };
    if let Some(rule) = plan::names_no_model(&name) {
        problems.add("/model", rule);
    }
    name
}

fn limits(draft: LimitsDraft, settings: &ApiSettings, problems: &mut Problems) -> Limits {
    let defaults = &settings.default_limits;
    let mut whole = |given: Option<u32>, name: &str, most: u32, default: u32| match given {
        None => default,
        Some(number) => {
            if !(1..=most).contains(&number) {
                problems.add(&format!("/limits/{name}"), format!("must be from 1 to {most}"));
            }
            number
        }
    };
    let task_most = settings.plan_bounds.timeout_seconds;
    let build_most = settings.max_build_timeout_seconds;
    Limits {
        task_timeout_seconds: whole(
            draft.task_timeout_seconds,
            "taskTimeoutSeconds",
            task_most,
            defaults.task_timeout_seconds,
        ),
        build_timeout_seconds: whole(
            draft.build_timeout_seconds,
            "buildTimeoutSeconds",
            build_most,
            defaults.build_timeout_seconds,
        ),
        max_parallel: whole(draft.max_parallel, "maxParallel", settings.max_parallel, defaults.max_parallel),
        max_attempts: whole(draft.max_attempts, "maxAttempts", settings.max_attempts, defaults.max_attempts),
        max_cost_nano_usd: draft
            .max_cost_usd
            .map_or(defaults.max_cost_nano_usd, |usd| cost_limit(usd, problems)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 10^15 fits")]
fn cost_limit(usd: f64, problems: &mut Problems) -> Option<u64> {
    if (1e-9..=1e6).contains(&usd) {
        return Some((usd * 1e9).round() as u64);
    }
    problems.add("/limits/maxCostUsd", "must be from 0.000000001 to 1000000");
    None
}

pub(crate) fn labels(
    given: BTreeMap<String, Value>,
    settings: &ApiSettings,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let most = settings.max_labels;
    if given.len() > most {
        problems.add("/labels", format!("must be at most {most} labels"));
        return BTreeMap::new();
    }
    let mut labels = BTreeMap::new();
    for (key, value) in given {
        let pointer = crate::read::pointer("/labels", &key);
        if !is_label_key(&key) {
            problems.add(&pointer, "a label's key has 1 to 63 letters, digits, `.`, `_`, `/` and `-`");
        }
        match value {
            Value::String(text)
                if text.chars().count() > LABEL_VALUE_CHARS || text.chars().any(char::is_control) =>
            {
                problems.add(&pointer, "must have at most 255 characters, none of them a control character");
            }
            Value::String(text) => {
                labels.insert(key, text);
            }
            _ => problems.add(&pointer, "must be a string"),
        }
    }
    labels
}

/// Whether a text can be the key of a label.
pub(crate) fn is_label_key(key: &str) -> bool {
    (1..=LABEL_KEY_CHARS).contains(&key.len())
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b))
}

fn check_plan(draft: plan::PlanDraft, settings: &ApiSettings, problems: &mut Problems) -> Option<Plan> {
    match Plan::validate(draft, &settings.plan_bounds) {
        Ok(plan) => Some(plan),
        Err(invalid) => {
            for problem in invalid.problems {
                problems.add_also(&format!("/plan{}", problem.pointer), problem.message);
            }
            None
        }
    }
}
