//! The names of everything.

use crate::lane::Lane;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use names::PoolName;
use plan::TaskNumber;

/// Begins the names of the streams of work orders.
const TASKS: &str = "TASKS";
/// Reports of executors.
pub(crate) const OUTCOMES: &str = "OUTCOMES";
/// Lines of output.
pub(crate) const OUTPUT: &str = "OUTPUT";
/// Committed events.
pub(crate) const EVENTS: &str = "EVENTS";
/// What the server says of orders that were handed out too often.
pub(crate) const ADVISORIES: &str = "ADVISORIES";
/// Begins the names of the streams in which the object store keeps our buckets.
const ARTIFACT_BUCKETS: &str = "OBJ_buildwright";
/// Takes the orders of a pool that ask for nothing; begins the names of all that take orders.
pub(crate) const EXECUTORS: &str = "executors";
/// Takes reports.
pub(crate) const DRIVER: &str = "driver";
/// Takes advisories.
pub(crate) const POISON: &str = "poison";

pub(crate) const ALL_OUTCOMES: &str = "buildwright.outcomes.*";
pub(crate) const ALL_OUTPUT: &str = "buildwright.output.*.*";
pub(crate) const ALL_EVENTS: &str = "buildwright.events.*.*";
pub(crate) const ALL_REVOCATIONS: &str = "buildwright.revoke.>";
pub(crate) const MAX_DELIVERIES: &str = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.*.*";

/// The stream of a pool's work orders.
pub(crate) fn tasks(pool: &PoolName) -> String {
    if *pool == PoolName::default() { TASKS.to_owned() } else { format!("{TASKS}_{pool}") }
}

/// Whether a stream holds work orders.
pub(crate) fn holds_tasks(stream: &str) -> bool {
    stream.strip_prefix(TASKS).is_some_and(|pool| pool.is_empty() || pool.starts_with('_'))
}

/// The stream of orders or of reports in which a subject is.
pub(crate) fn queue_of(subject: &str) -> Option<String> {
    if subject.starts_with("buildwright.outcomes.") {
        return Some(OUTCOMES.to_owned());
    }
    let (pool, _) = subject.strip_prefix("buildwright.tasks.")?.split_once('.')?;
    Some(tasks(&pool.parse().ok()?))
}

/// Whether a stream is one of ours, to go by its name.
pub(crate) fn is_ours(stream: &str) -> bool {
    holds_tasks(stream)
        || [ADVISORIES, EVENTS, OUTCOMES, OUTPUT].contains(&stream)
        || stream.starts_with(ARTIFACT_BUCKETS)
}

pub(crate) fn tasks_of_pool(pool: &PoolName) -> String {
    format!("buildwright.tasks.{pool}.>")
}

pub(crate) fn tasks_of_lane(pool: &PoolName, lane: &Lane) -> String {
    format!("buildwright.tasks.{pool}.{lane}.>")
}

/// A build's orders, in whatever pool and lane, or those of one attempt.
pub(crate) fn tasks_of_build(build: BuildId, attempt: Option<(Work, Attempt)>) -> String {
    match attempt {
        None => format!("buildwright.tasks.*.*.{build}.>"),
        Some((work, attempt)) => format!("buildwright.tasks.*.*.{build}.{work}.{attempt}"),
    }
}

pub(crate) fn task(pool: &PoolName, lane: &Lane, (build, work, attempt): (BuildId, Work, Attempt)) -> String {
    format!("buildwright.tasks.{pool}.{lane}.{build}.{work}.{attempt}")
}

pub(crate) fn revocation(build: BuildId, attempt: Option<(Work, Attempt)>) -> String {
    match attempt {
        None => format!("buildwright.revoke.{build}"),
        Some((work, attempt)) => format!("buildwright.revoke.{build}.{work}.{attempt}"),
    }
}

pub(crate) fn outcome(build: BuildId) -> String {
    format!("buildwright.outcomes.{build}")
}

pub(crate) fn output(build: BuildId, work: Work) -> String {
    format!("buildwright.output.{build}.{work}")
}

pub(crate) fn output_of_build(build: BuildId) -> String {
    format!("buildwright.output.{build}.*")
}

/// Where followers hear of new lines: after they are stored, unlike on the stream's own subject.
pub(crate) fn output_news(build: BuildId, work: Work) -> String {
    format!("buildwright.news.{build}.{work}")
}

/// The attempt that an order's subject names.
pub(crate) fn attempt_of_task(subject: &str) -> Option<(BuildId, Work, Attempt)> {
    let mut tokens = subject.strip_prefix("buildwright.tasks.")?.split('.').skip(2);
    let named = (tokens.next()?.parse().ok()?, work(tokens.next()?)?, attempt(tokens.next()?)?);
    tokens.next().is_none().then_some(named)
}

/// What a revocation names: a build, and maybe one attempt of it.
pub(crate) fn revoked(subject: &str) -> Option<(BuildId, Option<(Work, Attempt)>)> {
    let mut tokens = subject.strip_prefix("buildwright.revoke.")?.split('.');
    let build = tokens.next()?.parse().ok()?;
    match tokens.next() {
        None => Some((build, None)),
        Some(token) => Some((build, Some((work(token)?, attempt(tokens.next()?)?)))),
    }
}

fn work(token: &str) -> Option<Work> {
    match token {
        "plan" => Some(Work::Plan),
        "merge" => Some(Work::Merge),
        _ => token.strip_prefix("task-")?.parse().ok().map(|number| Work::Task(TaskNumber(number))),
    }
}

fn attempt(token: &str) -> Option<Attempt> {
    token.parse().ok().map(Attempt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_say_what_they_are_about() {
        let build: BuildId = "bld_01J00000000000000000000001".parse().unwrap();
        for work in [Work::Plan, Work::Merge, Work::Task(TaskNumber(17))] {
            let subject = task(&PoolName::default(), &Lane::default(), (build, work, Attempt(3)));
            assert_eq!(attempt_of_task(&subject), Some((build, work, Attempt(3))), "{subject}");
            let subject = revocation(build, Some((work, Attempt(3))));
            assert_eq!(revoked(&subject), Some((build, Some((work, Attempt(3))))), "{subject}");
        }
        assert_eq!(revoked(&revocation(build, None)), Some((build, None)));
    }

    #[test]
    fn orders_and_reports_are_in_queues() {
        let build: BuildId = "bld_01J00000000000000000000001".parse().unwrap();
        for pool in ["default", "large"] {
            let pool: PoolName = pool.parse().unwrap();
            let subject = task(&pool, &Lane::default(), (build, Work::Plan, Attempt(1)));
            assert_eq!(queue_of(&subject), Some(tasks(&pool)));
        }
        assert_eq!(queue_of(&outcome(build)), Some(OUTCOMES.to_owned()));
        for elsewhere in [output(build, Work::Plan), "$O.buildwright.C.x".to_owned()] {
            assert_eq!(queue_of(&elsewhere), None);
        }
    }

    #[test]
    fn foreign_subjects_say_nothing() {
        for subject in
            ["", "buildwright.tasks.default", "buildwright.tasks.default._.x.plan.1", "a.b.c.d.e.f"]
        {
            assert_eq!(attempt_of_task(subject), None, "{subject}");
        }
        for subject in ["", "buildwright.revoke.x", "buildwright.revoke.bld_01J00000000000000000000001.plan"]
        {
            assert_eq!(revoked(subject), None, "{subject}");
        }
    }
}
