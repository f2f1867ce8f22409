//! Results that travel.

use std::fs;

use buildwright_workspace::{AttemptWorkspace, ImportError};
use names::Commit;

use crate::fixture::{Fixture, at, git, harvest, open_project, task_ref, write};

async fn bundled(f: &Fixture) -> (AttemptWorkspace, Commit, std::path::PathBuf) {
    let base = f.base().await;
    let workspace = f.prepare("one", &base).await;
    write(&workspace.tree().join("a"), "1");
    let commit = harvest(&workspace).await.commit.unwrap();
    let bundle = f.path("one.bundle");
    workspace.bundle(&commit, Some(&base), &bundle).await.unwrap();
    (workspace, commit, bundle)
}

#[tokio::test]
async fn a_bundle_is_what_git_calls_one() {
    let f = Fixture::new().await;
    let (_, commit, bundle) = bundled(&f).await;
    let said = f.inspect(&["bundle", "verify", bundle.to_str().unwrap()]);
    assert!(said.contains(&format!("{commit} refs/heads/result")), "{said}");
    let leftovers = fs::read_dir(f.folder.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".partial"));
    assert_eq!(leftovers.count(), 0);
}

#[tokio::test]
async fn one_bundle_from_the_builds_base_restores_a_commit_with_all_before_it() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let a = f.commit_files("a", &base, &[("a", "1")]).await;
    let b = f.commit_files("b", &base, &[("b", "1")]).await;
    let merged = f.project.merge(&[a.clone(), b], "m", at(0)).await.unwrap();
    let workspace = f.prepare("c", &merged).await;
    write(&workspace.tree().join("c"), "1");
    let commit = harvest(&workspace).await.commit.unwrap();
    let bundle = f.path("c.bundle");
    workspace.bundle(&commit, Some(&base), &bundle).await.unwrap();

    let elsewhere = open_project(&f.git, &f.path("elsewhere"), "shop").await;
    elsewhere.base(&"main".parse().unwrap(), None, at(0)).await.unwrap();
    elsewhere.import(&bundle, &commit, &task_ref("c"), 1 << 20).await.unwrap();
    git(&f.path("elsewhere/shop.git"), &["fsck", "--strict", "--connectivity-only"]);
    assert!(elsewhere.contains(&commit, &a).await.unwrap());
}

#[tokio::test]
async fn a_whole_history_needs_nothing_on_the_other_side() {
    let f = Fixture::new().await;
    let commit = f.commit_files("a", &f.base().await, &[("a", "1")]).await;
    let bundle = f.path("whole.bundle");
    f.project.bundle(&commit, None, &bundle).await.unwrap();
    let elsewhere = open_project(&f.git, &f.path("elsewhere"), "shop").await;
    elsewhere.import(&bundle, &commit, &task_ref("a"), 1 << 20).await.unwrap();
    assert_eq!(elsewhere.resolve(&task_ref("a")).await.unwrap(), Some(commit));
}

#[tokio::test]
async fn importing_again_changes_nothing() {
    let f = Fixture::new().await;
    let (_, commit, bundle) = bundled(&f).await;
    for _ in 0..3 {
        f.project.import(&bundle, &commit, &task_ref("one"), 1 << 20).await.unwrap();
    }
    assert_eq!(
        f.inspect(&["for-each-ref", "--format=%(refname) %(objectname)"]),
        format!("refs/builds/bld_1/tasks/one {commit}")
    );
}

#[tokio::test]
async fn a_large_result_stays_one_pack() {
    let f = Fixture::new().await;
    let files: Vec<(String, String)> =
        (0..300).map(|n| (format!("d{}/f{n}", n % 7), format!("{n}"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let commit = f.commit_files("large", &f.base().await, &files).await;
    assert_eq!(f.project.files(&commit).await.unwrap().len(), 300);
    let packs = fs::read_dir(f.repository().join("objects/pack")).unwrap().count();
    assert_eq!(packs, 3, "one pack, its index and its reverse index");
}

#[tokio::test]
async fn a_bundle_that_is_not_what_it_should_be_is_refused_and_says_why() {
    let f = Fixture::new().await;
    let (_, commit, bundle) = bundled(&f).await;
    let whole = fs::read(&bundle).unwrap();
    let name = task_ref("one");
    let other: Commit = "1".repeat(40).parse().unwrap();
    let import = async |content: &[u8], commit: &Commit, max| {
        let path = f.path("damaged.bundle");
        fs::write(&path, content).unwrap();
        f.project.import(&path, commit, &name, max).await.unwrap_err()
    };

    assert!(matches!(import(&whole, &other, 1 << 20).await, ImportError::OtherCommit(_)));
    assert!(matches!(import(&whole, &commit, 10).await, ImportError::TooLarge { max: 10, .. }));
    assert!(matches!(import(b"", &commit, 1 << 20).await, ImportError::Malformed(_)));
    assert!(matches!(import(&whole[..whole.len() - 30], &commit, 1 << 20).await, ImportError::Git(_)));
    let mut flipped = whole.clone();
    let last = flipped.len() - 40;
    flipped[last] ^= 0xff;
    assert!(matches!(import(&flipped, &commit, 1 << 20).await, ImportError::Git(_)));
    assert_eq!(f.project.resolve(&name).await.unwrap(), None, "nothing was taken in");

    let elsewhere = open_project(&f.git, &f.path("elsewhere"), "shop").await;
    let error = elsewhere.import(&bundle, &commit, &name, 1 << 20).await.unwrap_err();
    assert!(matches!(error, ImportError::MissingPrerequisite(_)), "{error}");
}

#[tokio::test]
async fn a_commit_with_a_git_folder_in_its_tree_is_refused_by_fsck() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let forge = f.path("forge");
    fs::create_dir(&forge).unwrap();
    git(&forge, &["init", "-q"]);
    write(&forge.join("x"), "[core]\n\tfsmonitor = touch /tmp/x\n");
    let blob = git(&forge, &["hash-object", "-w", "x"]);
    let mut tree = b"100644 .git\0".to_vec();
    tree.extend((0..20).map(|n| u8::from_str_radix(&blob[n * 2..n * 2 + 2], 16).unwrap()));
    write(&forge.join("tree"), tree);
    let tree = git(&forge, &["hash-object", "-w", "-t", "tree", "--literally", "tree"]);
    let commit = git(&forge, &["commit-tree", &tree, "-m", "evil"]);
    git(&forge, &["update-ref", "refs/heads/evil", &commit]);
    let bundle = f.path("evil.bundle");
    git(&forge, &["bundle", "create", "-q", bundle.to_str().unwrap(), "evil"]);

    let commit: Commit = commit.parse().unwrap();
    let error = f.project.import(&bundle, &commit, &task_ref("evil"), 1 << 20).await.unwrap_err();
    assert!(error.to_string().contains("hasDotgit"), "{error}");
    assert_eq!(f.project.resolve(&task_ref("evil")).await.unwrap(), None);
    assert!(f.project.contains(&commit, &base).await.is_err(), "the commit must not be here");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_attempts_at_once_on_one_project_all_arrive() {
    let f = std::sync::Arc::new(Fixture::new().await);
    let base = f.base().await;
    let attempts: Vec<_> = (0..50)
        .map(|n| {
            let (f, base) = (f.clone(), base.clone());
            tokio::spawn(async move {
                let name = format!("t{n}");
                f.commit_files(&name, &base, &[(&name, "1")]).await
            })
        })
        .collect();
    let mut commits = Vec::new();
    for attempt in attempts {
        commits.push(attempt.await.unwrap());
    }

    let merged = f.project.merge(&commits, "m", at(0)).await.unwrap();
    assert_eq!(f.project.files(&merged).await.unwrap().len(), 50);
    assert_eq!(f.inspect(&["for-each-ref"]).lines().count(), 50);
    f.inspect(&["fsck", "--strict"]);
    assert!(!f.path("workspaces/bld_1").exists());
}

/// As a fetch does: others could not start from what one of us fetched, otherwise.
#[tokio::test]
async fn a_harmless_fault_in_an_old_history_travels() {
    let f = Fixture::new().await;
    let forge = f.path("forge");
    fs::create_dir(&forge).unwrap();
    git(&forge, &["init", "-q"]);
    let tree = git(&forge, &["hash-object", "-w", "-t", "tree", "/dev/null"]);
    let person = "x <x@x> 1111111111 +051800";
    write(&forge.join("commit"), format!("tree {tree}\nauthor {person}\ncommitter {person}\n\nold\n"));
    let commit = git(&forge, &["hash-object", "-w", "-t", "commit", "--literally", "commit"]);
    git(&forge, &["update-ref", "refs/heads/old", &commit]);
    let bundle = f.path("old.bundle");
    git(&forge, &["bundle", "create", "-q", bundle.to_str().unwrap(), "old"]);
    let commit: Commit = commit.parse().unwrap();
    f.project.import(&bundle, &commit, &task_ref("old"), 1 << 20).await.unwrap();
    assert!(f.project.has(&commit).await.unwrap());
}
