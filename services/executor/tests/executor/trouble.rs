//! Stores that have not what they should, and disks that have no room.

use crate::{orders::*, scene::*};
use buildwright_executor::PatientArtifacts;
use domain::FailureClass;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::time::Duration;

#[tokio::test]
async fn a_result_that_is_gone_from_the_artifact_store_fails_what_builds_on_it() {
    let scene = Scene::new().await;
    let a = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let bundle = ArtifactKey::try_from(a.bundle.clone().unwrap()).unwrap();
    scene.artifacts.remove_all(&bundle).await.unwrap();
    for order in [building_on(1, 1, command("true"), vec![input(0, &a)]), merge(1, vec![input(0, &a)])] {
        assert_eq!(failure(scene.carry_out(&order).await).class, FailureClass::Crashed);
    }
}

#[tokio::test]
async fn an_artifact_that_is_no_bundle_of_that_commit_is_not_taken_over() {
    let scene = Scene::new().await;
    let mut a = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let file = scene.path("forged");
    std::fs::write(&file, "# v2 git bundle\n").unwrap();
    let forged = ArtifactKey::try_from("builds/forged".to_owned()).unwrap();
    scene.artifacts.put(&forged, &file).await.unwrap();
    a.bundle = Some(forged.to_string());
    let order = building_on(1, 1, command("true"), vec![input(0, &a)]);
    assert_eq!(failure(scene.carry_out(&order).await).class, FailureClass::Crashed);
}

#[tokio::test]
async fn a_full_disk_is_a_lack_of_resources_and_says_no_path() {
    let scene = Scene::new().await;
    task_result(scene.carry_out(&task(1, 0, command("true"))).await);
    scene.artifacts.run_full();
    let full = failure(scene.carry_out(&task(1, 1, writes("a.txt", "a"))).await);
    assert_eq!(full.class, FailureClass::Resource);
    assert!(!full.message.contains('/'), "{full}");
    // Not even the base of a build can be fixed.
    assert_eq!(failure(scene.carry_out(&task(2, 0, command("true"))).await).class, FailureClass::Resource);
}

#[tokio::test]
async fn a_store_that_is_away_for_a_moment_is_waited_for_but_not_for_ever() {
    let scene = Scene::new().await;
    let store = |patience| PatientArtifacts::new(scene.artifacts.clone(), patience);
    let (key, file) = (ArtifactKey::try_from("builds/one".to_owned()).unwrap(), scene.path("file"));
    std::fs::write(&file, "content").unwrap();

    scene.artifacts.go_away(3);
    assert!(store(Duration::from_secs(30)).put(&key, &file).await.unwrap());
    scene.artifacts.go_away(3);
    store(Duration::from_secs(30)).get(&key, &scene.path("copy")).await.unwrap();
    assert_eq!(std::fs::read_to_string(scene.path("copy")).unwrap(), "content");

    scene.artifacts.go_away(usize::MAX);
    let gone = store(Duration::from_millis(100)).get(&key, &scene.path("another")).await;
    assert!(matches!(gone, Err(ArtifactError::Unavailable(_))), "{gone:?}");
}

#[tokio::test]
async fn what_a_panicked_attempt_left_does_not_disturb_the_next_one() {
    let broken = Scene::with_defect().await;
    let order = task(1, 0, writes("a.txt", "a"));
    assert!(broken.begin(&order).died().await);
    let sound = Scene::over(broken.into_folder(), Scene::sound_agent()).await;
    task_result(sound.carry_out(&order).await);
}
