//! One task: what counts as done, and what others get of it.

use crate::{orders::*, scene::*};
use domain::FailureClass;
use plan::TaskDraft;
use ports::OutputStream;
use serde_json::json;

#[tokio::test]
async fn a_task_brings_a_commit_with_what_it_wrote() {
    let scene = Scene::new().await;
    let outcome = scene.carry_out(&task(1, 0, writes("docs/a.txt", "hello"))).await;
    assert_eq!(outcome.usage.total().output_tokens, 8);
    let result = task_result(outcome);
    assert_eq!((result.files_changed, result.summary.as_str()), (1, "It is written."));
    assert_eq!(scene.files_of(&result).await, ["docs/a.txt"]);
}

#[tokio::test]
async fn a_task_starts_from_the_results_of_others() {
    let scene = Scene::new().await;
    let a = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let b = task_result(scene.carry_out(&task(1, 1, writes("b.txt", "b"))).await);
    let both = building_on(1, 2, command("cat a.txt b.txt > c.txt"), vec![input(0, &a), input(1, &b)]);
    let c = task_result(scene.carry_out(&both).await);
    assert_eq!(c.files_changed, 1);
    assert_eq!(scene.files_of(&c).await, ["a.txt", "b.txt", "c.txt"]);
}

#[tokio::test]
async fn a_claim_without_the_file_that_was_owed_is_no_success() {
    let scene = Scene::new().await;
    let claims = scripted(
        &["a.txt", "b.txt"],
        &json!([
            { "tool": { "name": "Write", "input": { "file_path": "a.txt", "content": "a" } } },
            { "text": "Both files are there!" },
        ]),
    );
    let outcome = scene.carry_out(&task(1, 0, claims)).await;
    let failure = failure(outcome);
    assert_eq!(failure.class, FailureClass::NoEvidence);
    assert!(failure.message.contains("b.txt") && !failure.message.contains("a.txt"), "{failure}");
}

#[tokio::test]
async fn a_failed_check_tells_the_end_of_what_it_printed() {
    let scene = Scene::new().await;
    let check = Some("seq 1 100; exit 3".to_owned());
    let outcome = scene.carry_out(&task(1, 0, TaskDraft { check, ..writes("a.txt", "a") })).await;
    let failure = failure(outcome);
    assert_eq!(failure.class, FailureClass::CheckFailed);
    assert!(failure.message.ends_with("exited with 3: 96 | 97 | 98 | 99 | 100"), "{failure}");
}

#[tokio::test]
async fn what_a_check_leaves_behind_is_no_result() {
    let scene = Scene::new().await;
    let check = Some("test -e a.txt && touch made-by-check".to_owned());
    let order = task(1, 0, TaskDraft { check, ..writes("a.txt", "a") });
    let result = task_result(scene.carry_out(&order).await);
    assert_eq!(scene.files_of(&result).await, ["a.txt"]);
}

#[tokio::test]
async fn a_command_is_judged_by_its_exit_code() {
    let scene = Scene::new().await;
    let done = task_result(scene.carry_out(&task(1, 0, command("true"))).await);
    assert_eq!((done.files_changed, done.bundle), (0, None), "nothing to hand over, and nothing owed");

    let refused = failure(scene.carry_out(&task(1, 1, command("echo no >&2; exit 7"))).await);
    assert_eq!(refused.class, FailureClass::CommandFailed);
    assert!(refused.message.ends_with("exited with 7: no"), "{refused}");

    let killed = failure(scene.carry_out(&task(1, 2, command("kill -9 $$"))).await);
    assert_eq!(killed.class, FailureClass::CommandFailed);
    assert!(killed.message.ends_with("was killed"), "{killed}");
}

#[tokio::test]
async fn a_command_sees_nothing_of_this_process_and_has_a_home_of_its_own() {
    let scene = Scene::new().await;
    let order = task(1, 0, command("env | sed 's/=.*//' | sort | tr '\\n' ' '; ls -A \"$HOME\" | wc -l"));
    task_result(scene.carry_out(&order).await);
    let lines = scene.lines(&order).await;
    let printed: Vec<&str> = lines
        .iter()
        .filter(|line| line.stream == OutputStream::Stdout)
        .map(|line| line.text.as_str())
        .collect();
    // The shell itself adds `OLDPWD`, `PWD`, `SHLVL` and `_`, or some of them.
    let names = printed[0].split(' ').filter(|name| !["OLDPWD", "PWD", "SHLVL", "_"].contains(name));
    assert_eq!(names.collect::<Vec<_>>(), ["BUILDWRIGHT_RUN", "HOME", "PATH", "TMPDIR", "0"]);
}

#[tokio::test]
async fn what_takes_longer_than_its_limit_is_ended() {
    let scene = Scene::new().await;
    let timeout_seconds = Some(1);
    let sleeping = TaskDraft { timeout_seconds, ..command("echo process $$; sleep 300") };
    let order = task(1, 0, sleeping);
    let slow = failure(scene.carry_out(&order).await);
    assert_eq!(slow.class, FailureClass::Timeout);
    assert!(!is_alive(&scene.wait_for_line(&order, "process ").await));

    let silent = TaskDraft { timeout_seconds, ..scripted(&[], &json!([{ "hang": true }])) };
    let silent = failure(scene.carry_out(&task(1, 1, silent)).await);
    assert_eq!(silent.class, FailureClass::Timeout);
    assert_eq!(silent.message, slow.message);
    assert!(silent.message.ends_with("limit of 1 s"), "{silent}");
}

/// Whatever comes onto the branch while a build goes on.
#[tokio::test]
async fn all_tasks_of_a_build_start_from_the_same_commit() {
    let scene = Scene::new().await;
    let first = task_result(scene.carry_out(&task(1, 0, writes("a.txt", "a"))).await);
    let other = task_result(scene.carry_out(&task(2, 0, writes("other.txt", "o"))).await);
    let published = merge_result(scene.carry_out(&merge(2, vec![input(0, &other)])).await);
    assert_eq!(scene.main().await, Some(published.commit));

    let second = task_result(scene.carry_out(&task(1, 1, writes("b.txt", "b"))).await);
    assert_eq!(scene.files_of(&second).await, ["b.txt"]);
    let merged = merge_result(scene.carry_out(&merge(1, vec![input(0, &first), input(1, &second)])).await);
    assert_eq!(scene.files(&merged.commit).await, ["a.txt", "b.txt"]);
    assert_eq!(merged.base, published.base, "both found an empty project, at the same time");
    let main = scene.main().await.unwrap();
    assert_eq!(scene.files(&main).await, ["a.txt", "b.txt", "other.txt"]);

    let third = task_result(scene.carry_out(&task(3, 0, writes("c.txt", "c"))).await);
    assert_eq!(scene.files_of(&third).await, ["a.txt", "b.txt", "c.txt", "other.txt"]);
}

#[tokio::test]
async fn of_two_attempts_that_look_for_the_base_at_once_the_first_decides() {
    let scene = Scene::new().await;
    let other = task_result(scene.carry_out(&task(2, 0, writes("other.txt", "o"))).await);
    let published = merge_result(scene.carry_out(&merge(2, vec![input(0, &other)])).await);
    // This one finds the branch as it is now; one that looked before that is a little faster.
    scene.artifacts.overtake_base(&published.base);
    let result = task_result(scene.carry_out(&task(1, 0, command("true"))).await);
    assert_eq!(result.commit, published.base);
    assert_ne!(result.commit, published.commit);
}
