//! What every store of artifacts promises.
#![allow(missing_docs, clippy::missing_panics_doc, reason = "the names are the sentences")]

use super::{Stage, build};
use futures::future::join_all;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{fs, path::PathBuf, sync::Arc};
use tempfile::TempDir;

/// A stage with a store of artifacts.
pub type ArtifactStage = Stage<Arc<dyn ArtifactStore>>;

/// Instantiates every story for a factory: `async fn() -> ArtifactStage`.
#[macro_export]
macro_rules! artifact_stories {
    ($factory:path) => {
        $crate::artifact_stories!($factory:
            an_artifact_is_fetched_as_it_was_stored,
            the_first_content_of_a_key_stays,
            of_many_at_the_same_time_exactly_one_is_first,
            what_is_not_there_is_not_found,
            a_fetched_copy_may_be_changed_and_nothing_is_overwritten,
            a_source_that_cannot_be_read_stores_nothing,
            removing_a_build_takes_all_of_it_and_nothing_else,
            keys_of_every_kind_are_told_apart,
        );
    };
    ($factory:path: $($story:ident,)+) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $story() {
            $crate::bus::artifacts::$story(&$factory().await).await;
        }
    )+};
}

struct Scene<'a> {
    stage: &'a ArtifactStage,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    fn of(stage: &'a ArtifactStage) -> Self {
        Self { stage, folder: tempfile::tempdir().expect("a folder") }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }

    async fn put(&self, of: &str, from: &std::path::Path) -> Result<bool, ArtifactError> {
        self.stage.executors[0].put(&key(of), from).await
    }

    /// As another executor gets it.
    async fn content(&self, of: &str) -> Result<Vec<u8>, ArtifactError> {
        let to = self.folder.path().join("got");
        let got = self.stage.executors[1].get(&key(of), &to).await;
        let content = fs::read(&to).unwrap_or_default();
        let _ = fs::remove_file(&to);
        got.map(|()| content)
    }
}

fn key(text: &str) -> ArtifactKey {
    text.to_owned().try_into().expect("a key")
}

/// Bytes of every kind.
fn bytes(count: usize) -> Vec<u8> {
    (0..count).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()
}

pub async fn an_artifact_is_fetched_as_it_was_stored(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    for size in [0, 1, 1000, 128 << 10, (128 << 10) + 1, 5_000_000] {
        let content = bytes(size);
        let name = format!("b1/task-1/{size}.bundle");
        assert!(scene.put(&name, &scene.file("bundle", &content)).await.expect("stored"));
        assert!(scene.content(&name).await.expect("fetched") == content, "of {size} bytes");
    }
}

pub async fn the_first_content_of_a_key_stays(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    let (first, second) = (scene.file("first", b"first"), scene.file("second", b"second"));
    assert!(scene.put("a/b", &first).await.expect("stored"));
    assert!(!scene.put("a/b", &second).await.expect("refused"));
    assert_eq!(scene.content("a/b").await.expect("fetched"), b"first");
}

pub async fn of_many_at_the_same_time_exactly_one_is_first(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    let content = |n: usize| n.to_string().repeat(100_000).into_bytes();
    let sources: Vec<_> = (0..8).map(|n| scene.file(&n.to_string(), &content(n))).collect();
    for round in 0..5 {
        let key = key(&format!("b/{round}"));
        let stored = join_all(sources.iter().enumerate().map(|(n, from)| {
            let (store, key, from) = (Arc::clone(&stage.executors[n % 2]), key.clone(), from.clone());
            tokio::spawn(async move { store.put(&key, &from).await.expect("no failure") })
        }));
        let stored: Vec<bool> = stored.await.into_iter().map(|stored| stored.expect("no panic")).collect();
        assert_eq!(stored.iter().filter(|first| **first).count(), 1);
        let winner = stored.iter().position(|first| *first).expect("one");
        assert!(scene.content(key.as_str()).await.expect("fetched") == content(winner));
    }
}

pub async fn what_is_not_there_is_not_found(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    assert!(matches!(scene.content("a/b").await, Err(ArtifactError::NotFound(_))));
    scene.put("a/b", &scene.file("x", b"x")).await.expect("stored");
    for missing in ["a", "b", "a/b/c", "a/c", "a/bc"] {
        assert!(matches!(scene.content(missing).await, Err(ArtifactError::NotFound(_))), "{missing}");
    }
}

pub async fn a_fetched_copy_may_be_changed_and_nothing_is_overwritten(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    scene.put("a", &scene.file("x", b"original")).await.expect("stored");
    let to = scene.folder.path().join("copy");
    stage.driver.get(&key("a"), &to).await.expect("fetched");
    fs::write(&to, "changed").expect("written");
    assert_eq!(scene.content("a").await.expect("fetched"), b"original");
    assert!(matches!(stage.driver.get(&key("a"), &to).await, Err(ArtifactError::Io(_))));
    assert_eq!(fs::read_to_string(&to).expect("there"), "changed");
}

pub async fn a_source_that_cannot_be_read_stores_nothing(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    let missing = scene.folder.path().join("missing");
    assert!(matches!(scene.put("a/b", &missing).await, Err(ArtifactError::Io(_))));
    assert!(matches!(scene.content("a/b").await, Err(ArtifactError::NotFound(_))));
    assert!(scene.put("a/b", &scene.file("x", b"x")).await.expect("stored"));
}

pub async fn removing_a_build_takes_all_of_it_and_nothing_else(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    let from = scene.file("x", b"x");
    let (one, ten) = (build(1).to_string(), build(10).to_string());
    for name in [format!("{one}/plan/1"), format!("{one}/task-1/1"), format!("{ten}/plan/1")] {
        scene.put(&name, &from).await.expect("stored");
    }
    stage.driver.remove_all(&key(&format!("{one}/plan/1/x"))).await.expect("nothing to remove");
    stage.driver.remove_all(&key(&one[..one.len() - 1])).await.expect("half a name is another");
    assert_eq!(scene.content(&format!("{one}/plan/1")).await.expect("fetched"), b"x");

    stage.driver.remove_all(&key(&one)).await.expect("removed");
    stage.driver.remove_all(&key(&one)).await.expect("nothing to remove");
    for gone in [format!("{one}/plan/1"), format!("{one}/task-1/1")] {
        assert!(matches!(scene.content(&gone).await, Err(ArtifactError::NotFound(_))), "{gone}");
    }
    assert_eq!(scene.content(&format!("{ten}/plan/1")).await.expect("fetched"), b"x");
    // It can be stored again, and is the first again.
    assert!(scene.put(&format!("{one}/plan/1"), &scene.file("y", b"y")).await.expect("stored"));
    assert_eq!(scene.content(&format!("{one}/plan/1")).await.expect("fetched"), b"y");
}

pub async fn keys_of_every_kind_are_told_apart(stage: &ArtifactStage) {
    let scene = Scene::of(stage);
    let long = ["x".repeat(200), "y".repeat(200)].join("/");
    let keys = ["...", "a.b", "a/b", "A.b", "-", "_/_", "a/b..c", "0/.hidden", long.as_str()];
    for name in keys {
        assert!(scene.put(name, &scene.file("x", name.as_bytes())).await.expect("stored"), "{name}");
    }
    for name in keys {
        assert_eq!(scene.content(name).await.expect("fetched"), name.as_bytes());
    }
}
