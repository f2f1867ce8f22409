use super::{Admission::*, *};
use std::num::NonZeroU32;

const AWAY: Verdict = Verdict::Unusable(FailureClass::ModelError);

fn after(threshold: u32) -> (Breaker, Instant) {
    let settings = BreakerSettings {
        threshold: NonZeroU32::new(threshold),
        cool_down: Duration::from_secs(30),
        longest_cool_down: Duration::from_secs(100),
    };
    (Breaker::new(settings), Instant::now())
}

/// One after two failures, opened.
fn open() -> (Breaker, Instant) {
    let (mut breaker, now) = after(2);
    breaker.ended(Kind::Ordinary, AWAY, now);
    breaker.ended(Kind::Ordinary, AWAY, now);
    (breaker, now)
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn it_opens_after_so_many_failures_in_a_row() {
    let (mut breaker, now) = after(3);
    for verdict in [AWAY, AWAY, Verdict::Usable, AWAY, Verdict::Unknown, AWAY] {
        assert_eq!(breaker.admit(now), Granted(Kind::Ordinary));
        breaker.ended(Kind::Ordinary, verdict, now);
    }
    assert_eq!(breaker.state(), State::Closed { failures: 2 });
    breaker.ended(Kind::Ordinary, Verdict::Unusable(FailureClass::RateLimited), now);
    let until = now + seconds(30);
    assert_eq!(breaker.state(), State::Open { until, reason: FailureClass::RateLimited });
    assert_eq!(breaker.admit(now + seconds(29)), At(until));
}

#[test]
fn after_the_cool_down_one_attempt_is_tried_and_its_success_closes_it() {
    let (mut breaker, now) = open();
    let now = now + seconds(30);
    assert_eq!(breaker.admit(now), Granted(Kind::Trial));
    assert_eq!(breaker.admit(now), AfterTrial);
    breaker.ended(Kind::Trial, Verdict::Usable, now);
    assert_eq!(breaker.state(), State::Closed { failures: 0 });
    assert_eq!(breaker.admit(now), Granted(Kind::Ordinary));
}

#[test]
fn each_trial_that_fails_doubles_the_cool_down_up_to_a_bound_and_a_success_forgets_it() {
    let (mut breaker, mut now) = open();
    for cool_down in [30, 60, 100, 100] {
        assert_eq!(breaker.admit(now), At(now + seconds(cool_down)));
        now += seconds(cool_down);
        assert_eq!(breaker.admit(now), Granted(Kind::Trial));
        breaker.ended(Kind::Trial, AWAY, now);
    }
    now += seconds(100);
    assert_eq!(breaker.admit(now), Granted(Kind::Trial));
    breaker.ended(Kind::Trial, Verdict::Usable, now);
    breaker.ended(Kind::Ordinary, AWAY, now);
    breaker.ended(Kind::Ordinary, AWAY, now);
    assert_eq!(breaker.admit(now), At(now + seconds(30)));
}

#[test]
fn a_trial_that_says_nothing_of_the_model_is_followed_by_another() {
    let (mut breaker, now) = open();
    let now = now + seconds(30);
    assert_eq!(breaker.admit(now), Granted(Kind::Trial));
    breaker.ended(Kind::Trial, Verdict::Unknown, now);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.admit(now), Granted(Kind::Trial));
}

#[test]
fn attempts_that_were_begun_before_it_opened_decide_nothing() {
    let (mut breaker, now) = open();
    let opened = breaker.state();
    for verdict in [AWAY, Verdict::Usable, Verdict::Unknown] {
        breaker.ended(Kind::Ordinary, verdict, now + seconds(1));
        assert_eq!(breaker.state(), opened);
    }
    assert_eq!(breaker.admit(now + seconds(30)), Granted(Kind::Trial));
    breaker.ended(Kind::Ordinary, Verdict::Usable, now + seconds(30));
    assert_eq!(breaker.state(), State::Trying);
}

#[test]
fn without_a_threshold_it_never_opens() {
    let (mut breaker, now) = after(0);
    for _ in 0..1_000 {
        breaker.ended(Kind::Ordinary, AWAY, now);
    }
    assert_eq!(breaker.admit(now), Granted(Kind::Ordinary));
}

#[test]
fn only_a_model_that_cannot_be_used_counts_against_it() {
    use FailureClass::*;
    for class in [ModelError, RateLimited, Credential] {
        assert_eq!(Verdict::of_failure(class), Verdict::Unusable(class));
    }
    for class in [ModelRefused, TurnLimit, Budget, NoEvidence, CheckFailed, InvalidPlan] {
        assert_eq!(Verdict::of_failure(class), Verdict::Usable);
    }
    for class in [Timeout, Crashed, CommandFailed, MergeConflict, Repository, Resource, Lost, Internal] {
        assert_eq!(Verdict::of_failure(class), Verdict::Unknown);
    }
}
