use super::*;
use plan::TaskNumber;
use proptest::prelude::*;
use ulid::Ulid;

fn tenant(name: &str) -> TenantName {
    name.parse().unwrap()
}

fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

fn what(n: u32) -> (Work, Attempt) {
    (Work::Task(TaskNumber(n)), Attempt::FIRST)
}

fn priority(n: i64) -> Priority {
    Priority::try_from(n).unwrap()
}

fn alike(_: &TenantName) -> NonZeroU32 {
    NonZeroU32::MIN
}

/// The builds whose turns come next.
fn turns(line: &mut Line, count: usize) -> Vec<BuildId> {
    (0..count).map(|_| line.pop(alike).unwrap().0).collect()
}

#[test]
fn a_flood_of_one_tenant_delays_another_tenants_attempt_by_one_turn() {
    let mut line = Line::default();
    for n in 0..10_000 {
        line.push(&tenant("flood"), priority(10), build(1), what(n));
    }
    turns(&mut line, 500);
    line.push(&tenant("small"), priority(-10), build(2), what(0));
    assert!(turns(&mut line, 2).contains(&build(2)));
}

#[test]
fn tenants_are_served_by_their_weights() {
    let mut line = Line::default();
    for n in 0..4_000 {
        line.push(&tenant("three"), priority(0), build(3), what(n));
        line.push(&tenant("one"), priority(0), build(1), what(n));
    }
    let weight = |name: &TenantName| NonZeroU32::new(if name.as_str() == "three" { 3 } else { 1 }).unwrap();
    let served = (0..4_000).filter(|_| line.pop(weight).unwrap().0 == build(3)).count();
    assert!((2_990..=3_010).contains(&served), "{served} of 4000");
}

#[test]
fn nobody_saves_up_turns_by_staying_away() {
    let mut line = Line::default();
    line.push(&tenant("away"), priority(0), build(1), what(0));
    line.pop(alike);
    for n in 0..1_000 {
        line.push(&tenant("busy"), priority(0), build(2), what(n));
    }
    turns(&mut line, 500);
    for n in 0..500 {
        line.push(&tenant("away"), priority(0), build(1), what(n));
    }
    let theirs = turns(&mut line, 100).iter().filter(|turn| **turn == build(1)).count();
    assert!((49..=51).contains(&theirs), "{theirs} of 100");
}

#[test]
fn within_a_tenant_the_higher_priority_goes_first() {
    let mut line = Line::default();
    for (n, height) in [(1, 0), (2, -10), (3, 10)] {
        line.push(&tenant("a"), priority(height), build(n), what(0));
        line.push(&tenant("a"), priority(height), build(n), what(1));
    }
    let expected = [3, 3, 1, 1, 2, 2].map(build);
    assert_eq!(turns(&mut line, 6), expected);
}

#[test]
fn builds_of_a_priority_take_turns_and_each_keeps_its_order() {
    let mut line = Line::default();
    for n in 0..3 {
        line.push(&tenant("a"), priority(0), build(1), what(n));
    }
    for n in 0..2 {
        line.push(&tenant("a"), priority(0), build(2), what(n));
    }
    let order: Vec<_> = (0..5).map(|_| line.pop(alike).unwrap()).collect();
    let expected = [(1, 0), (2, 0), (1, 1), (2, 1), (1, 2)].map(|(b, n)| (build(b), what(n)));
    assert_eq!(order, expected);
    assert_eq!(line.pop(alike), None);
}

#[test]
fn tenants_that_come_and_go_are_forgotten() {
    for others in [0, 10_000] {
        let mut line = Line::default();
        for n in 0..others {
            line.push(&tenant("stays"), priority(0), build(1), what(n));
        }
        for n in 0..REMEMBERED * 4 {
            line.push(&tenant(&format!("t{n}")), priority(0), build(2), what(0));
            line.pop(alike).unwrap();
            line.pop(alike);
        }
        assert!(line.tenants.len() <= REMEMBERED * 2, "{}", line.tenants.len());
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(u8, i64, u64, u32),
    Pop,
    Remove(u8, i64, u64, u32),
    RemoveBuild(u8, i64, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let place = || (0..3_u8, -1..2_i64, 0..3_u64);
    prop_oneof![
        4 => (place(), 0..5_u32).prop_map(|((t, p, b), n)| Step::Push(t, p, b, n)),
        3 => Just(Step::Pop),
        1 => (place(), 0..5_u32).prop_map(|((t, p, b), n)| Step::Remove(t, p, b, n)),
        1 => place().prop_map(|(t, p, b)| Step::RemoveBuild(t, p, b)),
    ]
}

proptest! {
    /// What is in line comes out once, and nothing else does.
    #[test]
    fn whatever_is_put_in_line_comes_out_or_is_taken_out(steps in prop::collection::vec(step(), 0..200)) {
        let mut line = Line::default();
        let mut model: Vec<(u8, i64, u64, u32)> = Vec::new();
        // A build has one tenant and one priority.
        let id = |t: u8, p: i64, b: u64| build(u64::from(t) * 100 + (p + 1).unsigned_abs() * 10 + b);
        let name = |t: u8| tenant(&format!("t{t}"));
        for step in steps {
            match step {
                Step::Push(t, p, b, n) if !model.contains(&(t, p, b, n)) => {
                    line.push(&name(t), priority(p), id(t, p, b), what(n));
                    model.push((t, p, b, n));
                }
                Step::Push(..) => {}
                Step::Pop => match line.pop(alike) {
                    None => prop_assert!(model.is_empty()),
                    Some((popped, attempt)) => {
                        let found =
                            model.iter().position(|&(t, p, b, n)| (id(t, p, b), what(n)) == (popped, attempt));
                        prop_assert!(found.is_some());
                        model.remove(found.unwrap());
                    }
                },
                Step::Remove(t, p, b, n) => {
                    line.remove(&name(t), priority(p), id(t, p, b), what(n));
                    model.retain(|other| *other != (t, p, b, n));
                }
                Step::RemoveBuild(t, p, b) => {
                    line.remove_build(&name(t), priority(p), id(t, p, b));
                    model.retain(|other| (other.0, other.1, other.2) != (t, p, b));
                }
            }
        }
        for _ in 0..model.len() {
            prop_assert!(line.pop(alike).is_some());
        }
        prop_assert!(line.pop(alike).is_none());
    }
}
