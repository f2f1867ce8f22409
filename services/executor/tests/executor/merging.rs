//! The end of a build.

use crate::{orders::*, scene::*};
use domain::FailureClass;

#[tokio::test]
async fn a_merge_publishes_all_results_and_doing_it_again_changes_nothing() {
    let scene = Scene::new().await;
    let a = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let b = task_result(scene.carry_out(&task(1, 1, writes("b.txt", "b"))).await);
    let order = merge(1, vec![input(0, &a), input(1, &b)]);
    let merged = merge_result(scene.carry_out(&order).await);
    assert_eq!((merged.branch.as_str(), merged.files_changed), ("main", 2));
    assert_eq!(scene.main().await.as_ref(), Some(&merged.commit));
    assert_eq!(scene.files(&merged.commit).await, ["a.txt", "b.txt"]);

    assert_eq!(merge_result(scene.carry_out(&order).await), merged);
    assert_eq!(scene.main().await, Some(merged.commit));
}

#[tokio::test]
async fn results_that_contradict_each_other_are_a_conflict_that_names_the_file() {
    let scene = Scene::new().await;
    let one = task_result(scene.carry_out(&task(1, 0, writes("same.txt", "one"))).await);
    let two = task_result(scene.carry_out(&task(1, 1, writes("same.txt", "two"))).await);
    let inputs = vec![input(0, &one), input(1, &two)];
    for order in [building_on(1, 2, command("true"), inputs.clone()), merge(1, inputs)] {
        let conflict = failure(scene.carry_out(&order).await);
        assert_eq!(conflict.class, FailureClass::MergeConflict);
        assert!(conflict.message.contains("same.txt"), "{conflict}");
    }
    assert_eq!(scene.main().await, None);
}

#[tokio::test]
async fn a_build_that_changed_nothing_still_has_a_result() {
    let scene = Scene::new().await;
    let nothing = task_result(scene.carry_out(&task(1, 0, command("true"))).await);
    let merged = merge_result(scene.carry_out(&merge(1, vec![input(0, &nothing)])).await);
    assert_eq!((merged.files_changed, &merged.commit), (0, &merged.base));
}
