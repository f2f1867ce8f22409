//! Rows are a function of the log, however it was folded.

use crate::{
    history::{BUILDS, Step, finish, histories, submit, success},
    scene::*,
    store::Fate,
};
use domain::build::{Attempt, Work};
use plan::TaskNumber;
use ports::ReadModels;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// In pages of any size, with the process killed before or after any write.
    #[test]
    fn every_event_counts_exactly_once(
        history in histories(),
        page in 1..30_usize,
        deaths in prop::collection::vec((0..6_usize, any::<bool>()), 0..4),
    ) {
        in_a_runtime(check_once(&history, page, &deaths))?;
    }
}

fn in_a_runtime<T>(story: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(story)
}

async fn check_once(
    history: &[(u64, Step)],
    page: usize,
    deaths: &[(usize, bool)],
) -> Result<(), TestCaseError> {
    let scene = Scene::with_pages_of(page).await;
    let (first, second) = history.split_at(history.len() / 2);
    for half in [first, second] {
        scene.happen(half).await;
        for (survived, stored) in deaths {
            die_after(&scene, *survived, if *stored { Fate::LostAfter } else { Fate::LostBefore }).await;
        }
    }
    scene.catch_up().await;
    prop_assert_eq!(scene.projected(), scene.head());

    let mut expected = Vec::new();
    for n in (0..BUILDS).rev() {
        expected.extend(scene.expected(build(n)).await);
    }
    prop_assert_eq!(&scene.rows().await, &expected, "what the state of the builds says");
    scene.store.reset().await.unwrap();
    prop_assert_eq!(scene.rows().await, []);
    scene.catch_up().await;
    prop_assert_eq!(&scene.rows().await, &expected, "made again from nothing");
    Ok(())
}

/// A projector that is killed at a write, if it comes that far; the next one finds what the store holds.
async fn die_after(scene: &Scene, survived: usize, end: Fate) {
    let dies_at = *scene.store.writes.borrow() + survived + 1;
    scene.store.fate(std::iter::repeat_n(Fate::Stored, survived).chain([end]));
    let (projector, stop) = (scene.projector(), CancellationToken::new());
    tokio::select! {
        caught_up = projector.catch_up(&stop) => caught_up.unwrap(),
        () = scene.store.wait_for_write(dies_at) => {}
    }
    scene.store.forget_fates();
}

#[tokio::test]
async fn a_newer_type_of_event_is_passed_over_and_holds_nothing_up() {
    let scene = Scene::with_pages_of(1_000).await;
    scene.complete(build(1)).await;
    let expected = scene.expected(build(1)).await;
    scene.append_unknown(build(1), "build_cheered", 1).await;
    scene.append_unknown(build(2), "build_submitted", 99).await;
    scene.complete(build(3)).await;

    scene.catch_up().await;
    assert_eq!(scene.projected(), scene.head());
    let rows = scene.rows().await;
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [build(3), build(1)]);
    assert_eq!(rows.last(), expected.as_ref());
}

#[tokio::test]
async fn absurd_costs_do_not_end_the_projector() {
    let scene = Scene::with_pages_of(1_000).await;
    scene.give(build(1), submit(true)).await;
    // The second ends the build, the third is told afterwards.
    for (number, cost) in [(0, 1), (1, u64::MAX), (2, u64::MAX)] {
        let task = Work::Task(TaskNumber(number));
        scene.give(build(1), finish(task, Attempt::FIRST, Ok(success(task)), cost)).await;
    }
    scene.catch_up().await;
    let rows = scene.rows().await;
    assert_eq!(rows, Vec::from_iter(scene.expected(build(1)).await));
    assert_eq!(rows[0].cost_nano_usd, u64::MAX);
}
