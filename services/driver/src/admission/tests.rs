use super::*;
use crate::Window;
use ulid::Ulid;

fn build(n: u64) -> BuildId {
    BuildId::new(Ulid(n.into()))
}

fn key(b: u64, task: u32, attempt: u32) -> Key {
    (build(b), Work::Task(TaskNumber(task)), Attempt(attempt))
}

fn place(tenant: &str) -> Place {
    Place { pool: PoolName::default(), tenant: tenant.parse().unwrap(), priority: Priority::default() }
}

fn admission(window: usize) -> Admission {
    Admission::new(&Settings { window: Window::Fixed(window), ..Settings::default() })
}

/// With builds 1 and 2 of different tenants, and so many tasks of the first in line.
fn flooded(window: usize, tasks: u32) -> Admission {
    let mut admission = admission(window);
    admission.open(build(1), place("one"), Requirements::new());
    admission.open(build(2), place("two"), Requirements::new());
    for n in 0..tasks {
        admission.schedule(key(1, n, 1)).unwrap();
    }
    admission
}

fn admit(admission: &mut Admission) -> Vec<Key> {
    let by_build = admission.admit(usize::MAX);
    by_build.into_iter().flat_map(|(b, all)| all.into_iter().map(move |(w, a)| (b, w, a))).collect()
}

fn counts(admission: &Admission) -> (usize, usize, usize) {
    let Counts { waiting, admitted, running } =
        admission.counts().get(&PoolName::default()).copied().unwrap_or_default();
    (waiting, admitted, running)
}

#[test]
fn no_more_is_in_the_queue_than_the_window_lets_in() {
    let mut admission = flooded(64, 10_000);
    let first = admit(&mut admission);
    assert_eq!((first.len(), counts(&admission)), (64, (9_936, 64, 0)));
    assert_eq!(admit(&mut admission), []);
    for key in &first[..3] {
        admission.start(*key);
    }
    assert_eq!((admit(&mut admission).len(), counts(&admission)), (3, (9_933, 64, 3)));
}

#[test]
fn a_flood_delays_another_tenants_attempt_by_about_one_window() {
    let mut admission = flooded(64, 10_000);
    let mut started = admit(&mut admission);
    admission.schedule(key(2, 0, 1)).unwrap();
    let mut before = 0;
    loop {
        admission.start(started.remove(0));
        let next = admit(&mut admission);
        before += 1;
        if next.contains(&key(2, 0, 1)) {
            break;
        }
        started.extend(next);
        assert!(before <= 2, "the window moved {before} times");
    }
}

#[test]
fn every_way_an_attempt_ends_makes_room() {
    let mut admission = flooded(3, 6);
    let [started, ended, lost] = admit(&mut admission)[..] else { panic!("three") };
    admission.start(started);
    admission.end(ended);
    admission.schedule((lost.0, lost.1, Attempt(2))).unwrap();
    assert_eq!(counts(&admission), (4, 0, 1));
    let next = admit(&mut admission);
    assert_eq!(next.len(), 3);
    admission.end(started);
    assert_eq!(counts(&admission), (1, 3, 0));
    admission.close(build(1));
    assert_eq!(counts(&admission), (0, 0, 0));
    assert_eq!(admit(&mut admission), []);
    assert_eq!(admission.schedule(key(1, 0, 9)), Err(UnknownBuild));
}

#[test]
fn a_merge_leaves_with_the_end_of_its_build() {
    let mut admission = flooded(1, 0);
    admission.schedule((build(1), Work::Merge, Attempt::FIRST)).unwrap();
    assert_eq!(admit(&mut admission).len(), 1);
    admission.schedule(key(2, 0, 1)).unwrap();
    assert_eq!(admit(&mut admission), []);
    admission.close(build(1));
    assert_eq!(admit(&mut admission), [key(2, 0, 1)]);
}

#[test]
fn what_is_heard_again_or_too_late_changes_nothing() {
    let mut admission = flooded(10, 0);
    admission.schedule(key(1, 0, 2)).unwrap();
    admission.schedule(key(1, 0, 2)).unwrap();
    admission.schedule(key(1, 0, 1)).unwrap();
    admission.start(key(1, 0, 1));
    admission.end(key(1, 0, 1));
    assert_eq!(counts(&admission), (1, 0, 0));
    assert_eq!(admit(&mut admission), [key(1, 0, 2)]);
    admission.start(key(1, 0, 2));
    admission.start(key(1, 0, 2));
    admission.schedule(key(1, 0, 2)).unwrap();
    assert_eq!((admit(&mut admission), counts(&admission)), (vec![], (0, 0, 1)));
}

#[test]
fn a_refused_attempt_keeps_its_place_and_is_tried_again_later() {
    let mut admission = flooded(2, 3);
    let [first, second] = admit(&mut admission)[..] else { panic!("two") };
    assert!(admission.refused(first));
    assert!(!admission.refused(second));
    assert_eq!(admit(&mut admission), []);
    admission.end(second);
    assert_eq!(admit(&mut admission), [key(1, 2, 1)]);
    admission.try_again();
    assert_eq!(admit(&mut admission), [first], "what ended meanwhile is not tried again");
    admission.offered(first);
    assert_eq!(admission.stage(first), Some(Stage::Offered));
    assert!(admission.refused(first), "the timer has to be set anew");
}

#[test]
fn at_most_so_many_are_admitted_at_once_and_they_come_by_build() {
    let mut admission = flooded(100, 10);
    for n in 0..10 {
        admission.schedule(key(2, n, 1)).unwrap();
    }
    let admitted = admission.admit(6);
    let sizes: Vec<_> = admitted.iter().map(|(_, attempts)| attempts.len()).collect();
    assert_eq!(sizes, [3, 3]);
}

#[test]
fn work_that_nobody_can_do_does_not_stand_in_the_way_of_other_work() {
    let mut admission = admission(2);
    let gpu: ExecutorLabel = "gpu".parse().unwrap();
    let asking = (0..10).map(|n| (TaskNumber(n), vec![gpu.clone()])).collect();
    admission.open(build(1), place("one"), Requirements::new());
    admission.planned(build(1), asking);
    for n in 0..12 {
        admission.schedule(key(1, n, 1)).unwrap();
    }
    let mut admitted = admit(&mut admission);
    admitted.sort_unstable();
    assert_eq!(admitted, [key(1, 0, 1), key(1, 1, 1), key(1, 10, 1), key(1, 11, 1)]);
    assert_eq!(counts(&admission), (8, 4, 0), "they are of one pool all the same");
}

#[test]
fn the_window_grows_with_the_executors_that_can_do_the_work() {
    let mut admission = Admission::new(&Settings {
        window: Window::BySlots { least: 2, per_slot: 2 },
        ..Settings::default()
    });
    admission.open(build(1), place("one"), Requirements::new());
    for n in 0..100 {
        admission.schedule(key(1, n, 1)).unwrap();
    }
    assert_eq!(admit(&mut admission).len(), 2);
    let executors = |pool: &str, slots| Capacity { pool: pool.parse().unwrap(), labels: Vec::new(), slots };
    admission.set_fleet(vec![executors("default", 3), executors("default", 1), executors("other", 50)]);
    assert_eq!(admit(&mut admission).len(), 6);
    admission.set_fleet(Vec::new());
    assert_eq!(admit(&mut admission).len(), 0);
}
