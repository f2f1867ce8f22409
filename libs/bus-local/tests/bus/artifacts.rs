use buildwright_bus_local::FolderArtifacts;
use futures::future::join_all;
use ports::{ArtifactError, ArtifactKey, ArtifactStore};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;
use testkit::bus::build;

struct Scene {
    folder: TempDir,
    store: FolderArtifacts,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = FolderArtifacts::new(folder.path().join("artifacts"));
        Self { folder, store }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("written");
        path
    }

    async fn content(&self, of: &str) -> Result<String, ArtifactError> {
        let to = self.folder.path().join("got");
        let got = self.store.get(&key(of), &to).await;
        let content = fs::read_to_string(&to).unwrap_or_default();
        let _ = fs::remove_file(&to);
        got.map(|()| content)
    }
}

fn key(text: &str) -> ArtifactKey {
    text.to_owned().try_into().expect("a key")
}

/// Every file below a folder.
fn files(below: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(below) else { return Vec::new() };
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() { files(&path) } else { vec![path] }
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_the_same_time_exactly_one_is_first() {
    let scene = Scene::new();
    let sources: Vec<_> =
        (0..16).map(|n| scene.file(&n.to_string(), &n.to_string().repeat(100_000))).collect();
    for round in 0..10 {
        let key = key(&format!("b/{round}"));
        let stored = join_all(sources.iter().map(|from| {
            let (store, key, from) = (scene.store.clone(), key.clone(), from.clone());
            tokio::spawn(async move { store.put(&key, &from).await.expect("no failure") })
        }));
        let stored: Vec<bool> = stored.await.into_iter().map(|stored| stored.expect("no panic")).collect();
        assert_eq!(stored.iter().filter(|first| **first).count(), 1);
        let winner = stored.iter().position(|first| *first).expect("one");
        assert_eq!(scene.content(key.as_str()).await.expect("fetched"), winner.to_string().repeat(100_000));
    }
    assert_eq!(files(&scene.folder.path().join("artifacts")).len(), 10, "unfinished files are left");
}

#[tokio::test]
async fn a_source_that_cannot_be_read_stores_nothing() {
    let scene = Scene::new();
    let missing = scene.folder.path().join("missing");
    assert!(matches!(scene.store.put(&key("a/b"), &missing).await, Err(ArtifactError::Io(_))));
    assert!(files(&scene.folder.path().join("artifacts")).is_empty());
    assert!(scene.store.put(&key("a/b"), &scene.file("x", "x")).await.expect("stored"));
}

#[tokio::test]
async fn removing_a_build_takes_all_of_it_and_nothing_else() {
    let scene = Scene::new();
    let from = scene.file("x", "x");
    let (one, ten) = (build(1).to_string(), build(10).to_string());
    for name in [format!("{one}/plan/1"), format!("{one}/task-1/1"), format!("{ten}/plan/1")] {
        scene.store.put(&key(&name), &from).await.expect("stored");
    }
    // What a killed process left.
    fs::write(scene.folder.path().join("artifacts").join(&one).join("~unfinished"), "").expect("written");

    scene.store.remove_all(&key(&one)).await.expect("removed");
    scene.store.remove_all(&key(&one)).await.expect("nothing to remove");
    scene.store.remove_all(&key(&format!("{one}/plan/1/x"))).await.expect("nothing to remove");
    assert_eq!(files(&scene.folder.path().join("artifacts")).len(), 1);
    assert_eq!(scene.content(&format!("{ten}/plan/1")).await.expect("fetched"), "x");
    assert!(from.exists());
}

#[test]
fn no_key_leads_out_of_the_folder() {
    for text in ["", "/", "/etc/passwd", "..", "a/../b", "./a", "a//b", "a/", "~a", "a\\b", "a\0", "é"] {
        assert!(ArtifactKey::try_from(text.to_owned()).is_err(), "{text:?}");
    }
}
