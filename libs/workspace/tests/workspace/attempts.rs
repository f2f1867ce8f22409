//! Preparing a workspace, committing from it, removing it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use buildwright_workspace::{AgentGit, AttemptSpec, HarvestError, HarvestLimits};

use crate::fixture::{Fixture, at, git, harvest, listed, segment, write};

#[tokio::test]
async fn an_attempt_starts_from_its_commit_and_ends_in_one_with_what_changed() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let start =
        f.commit_files("first", &base, &[("keep", "1"), ("edit", "1"), ("drop", "1"), ("run", "")]).await;

    let workspace = f.prepare("second", &start).await;
    assert_eq!(fs::read_to_string(workspace.tree().join("edit")).unwrap(), "1");
    write(&workspace.tree().join("edit"), "2");
    write(&workspace.tree().join("src/new.rs"), "fn main() {}");
    fs::remove_file(workspace.tree().join("drop")).unwrap();
    fs::set_permissions(workspace.tree().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    let made = harvest(&workspace).await;

    assert_eq!(listed(&made.changes), ["D drop", "M edit", "M run", "A src/new.rs"]);
    let commit = made.commit.unwrap();
    f.deliver(&workspace, &commit, &base, "second").await;
    assert_eq!(f.inspect(&["rev-parse", &format!("{commit}^")]), start.as_str());
    assert_eq!(
        f.inspect(&["log", "-1", "--format=%an <%ae> %at %ct %s", commit.as_str()]),
        "Buildwright <buildwright@localhost> 1700000060 1700000060 Do the task"
    );
    assert_eq!(
        f.inspect(&["ls-tree", "-r", "--name-only", commit.as_str()]).lines().collect::<Vec<_>>(),
        ["edit", "keep", "run", "src/new.rs"]
    );
}

#[tokio::test]
async fn an_attempt_that_changes_nothing_makes_no_commit() {
    let f = Fixture::new().await;
    let start = f.commit_files("first", &f.base().await, &[("a", "1")]).await;
    let workspace = f.prepare("second", &start).await;

    write(&workspace.tree().join("a"), "1"); // Written again, the same.
    let made = harvest(&workspace).await;

    assert_eq!((made.commit, made.changes), (None, vec![]));
}

#[tokio::test]
async fn committing_twice_keeps_the_last_state_and_the_same_inputs_give_the_same_commit() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let (one, two) = (f.prepare("one", &base).await, f.prepare("two", &base).await);
    for workspace in [&one, &two] {
        write(&workspace.tree().join("a"), "final");
    }
    write(&one.tree().join("a"), "draft");
    write(&one.tree().join("b"), "draft");
    harvest(&one).await;
    write(&one.tree().join("a"), "final");
    fs::remove_file(one.tree().join("b")).unwrap();

    let (one, two) = (harvest(&one).await, harvest(&two).await);
    assert_eq!(listed(&one.changes), ["A a"]);
    assert_eq!(one.commit, two.commit);
}

#[tokio::test]
async fn the_agents_own_git_works_and_what_it_commits_there_is_harvested_as_content() {
    let f = Fixture::new().await;
    let start = f.commit_files("first", &f.base().await, &[("a", "1")]).await;
    let workspace = f.prepare("second", &start).await;
    let tree = workspace.tree();

    assert_eq!(git(&tree, &["status", "--porcelain"]), "");
    assert_eq!(git(&tree, &["rev-parse", "HEAD"]), start.as_str());
    write(&tree.join("a"), "2");
    assert!(git(&tree, &["diff"]).contains("+2"));
    git(&tree, &["commit", "-qam", "mine"]);
    git(&tree, &["checkout", "-qb", "elsewhere"]);

    let made = harvest(&workspace).await;
    assert_eq!(listed(&made.changes), ["M a"]);
    let commit = made.commit.unwrap();
    f.deliver(&workspace, &commit, &start, "second").await;
    assert_eq!(f.inspect(&["log", "--format=%s", &format!("{start}..{commit}")]), "Do the task");
}

#[tokio::test]
async fn a_task_that_needs_no_git_gets_none() {
    let f = Fixture::new().await;
    let spec = AttemptSpec {
        build: segment("bld_1"),
        name: segment("check"),
        start: f.base().await,
        agent_git: AgentGit::Absent,
    };
    let workspace = f.workspaces.prepare(&f.project, &spec).await.unwrap();
    assert_eq!(fs::read_dir(workspace.tree()).unwrap().count(), 0);
    write(&workspace.tree().join("a"), "1");
    assert_eq!(listed(&harvest(&workspace).await.changes), ["A a"]);
}

#[tokio::test]
async fn ignored_files_stay_out_by_the_trees_own_rules_or_by_ours_if_it_has_none() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let clutter = |tree: &std::path::Path| {
        for path in ["node_modules/x/index.js", "app/target/debug/app", ".venv/bin/python", "dist/app.js"] {
            write(&tree.join(path), "x");
        }
    };
    let without = f.prepare("without", &base).await;
    clutter(&without.tree());
    assert_eq!(listed(&harvest(&without).await.changes), ["A dist/app.js"]);

    let with = f.prepare("with", &base).await;
    clutter(&with.tree());
    write(&with.tree().join(".gitignore"), "dist/\nnode_modules/\n.venv/\n");
    assert_eq!(listed(&harvest(&with).await.changes), ["A .gitignore", "A app/target/debug/app"]);
}

#[tokio::test]
async fn odd_file_names_are_committed_and_listed_faithfully() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let f = Fixture::new().await;
    let workspace = f.prepare("odd", &f.base().await).await;
    let long = "l".repeat(255);
    let names: [&[u8]; 9] = [
        b"two\nlines",
        b"-rf",
        b"bad\xff\xfe",
        b"Case",
        b"case",
        b" lead",
        b"quote\"",
        b"*",
        long.as_bytes(),
    ];
    for name in names {
        fs::write(workspace.tree().join(OsStr::from_bytes(name)), name).unwrap();
    }

    let made = harvest(&workspace).await;
    let mut expected: Vec<&[u8]> = names.to_vec();
    expected.sort_unstable();
    assert_eq!(made.changes.iter().map(|c| c.path.as_bytes()).collect::<Vec<_>>(), expected);
    let commit = made.commit.unwrap();
    f.deliver(&workspace, &commit, workspace.start(), "odd").await;
    let files = f.project.files(&commit).await.unwrap();
    assert_eq!(files.iter().map(|file| file.path.as_bytes()).collect::<Vec<_>>(), expected);

    // And they can be checked out again.
    let again = f.prepare("again", &commit).await;
    assert!(again.tree().join("two\nlines").exists());
    assert_eq!(harvest(&again).await.commit, None);
}

#[tokio::test]
async fn a_file_may_become_a_folder_a_link_and_back() {
    let f = Fixture::new().await;
    let start = f.commit_files("first", &f.base().await, &[("a", "1"), ("b/c", "1"), ("d", "1")]).await;
    let workspace = f.prepare("second", &start).await;
    let tree = workspace.tree();
    fs::remove_file(tree.join("a")).unwrap();
    write(&tree.join("a/inside"), "1");
    fs::remove_dir_all(tree.join("b")).unwrap();
    write(&tree.join("b"), "1");
    fs::remove_file(tree.join("d")).unwrap();
    symlink("b", tree.join("d")).unwrap();

    assert_eq!(listed(&harvest(&workspace).await.changes), ["D a", "A a/inside", "A b", "D b/c", "T d"]);
}

#[tokio::test]
async fn too_many_files_or_bytes_are_refused_before_git_reads_them() {
    let f = Fixture::with(HarvestLimits { max_files: 10, max_bytes: 1_000 }).await;
    let base = f.base().await;

    let many = f.prepare("many", &base).await;
    for n in 0..11 {
        write(&many.tree().join(format!("vendor/{n}")), "");
    }
    let error = many.commit("x", at(0)).await.unwrap_err();
    assert!(
        matches!(&error, HarvestError::TooManyFiles { files: 11, max: 10, most_in } if most_in.to_string() == "vendor"),
        "{error}"
    );

    let large = f.prepare("large", &base).await;
    fs::File::create(large.tree().join("sparse")).unwrap().set_len(100 << 30).unwrap();
    let error = large.commit("x", at(0)).await.unwrap_err();
    assert!(matches!(error, HarvestError::TooManyBytes { max: 1_000, .. }), "{error}");
}

#[tokio::test]
async fn removing_takes_the_workspace_and_then_the_builds_folder_but_nothing_beyond() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let (one, two) = (f.prepare("one", &base).await, f.prepare("two", &base).await);
    let outside = f.path("outside");
    write(&outside.join("precious"), "1");
    symlink(&outside, one.tree().join("link")).unwrap();
    let build = f.path("workspaces/bld_1");

    one.remove().await.unwrap();
    assert!(build.join("two").exists());
    two.remove().await.unwrap();
    assert!(!build.exists());
    assert!(outside.join("precious").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_can_begin_while_what_was_the_builds_last_one_is_being_removed() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let come_and_go = async |name: &str| {
        for _ in 0..300 {
            f.prepare(name, &base).await.remove().await.unwrap();
        }
    };
    tokio::join!(come_and_go("one"), come_and_go("two"), come_and_go("three"));
    assert!(!f.path("workspaces/bld_1").exists());
}

#[tokio::test]
async fn a_build_or_everything_can_be_removed_at_once_even_where_a_link_was_planted() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let outside = f.path("outside");
    write(&outside.join("precious"), "1");
    f.prepare("one", &base).await;
    symlink(&outside, f.path("workspaces/bld_2")).unwrap();

    f.workspaces.remove_build(&segment("bld_2")).await.unwrap();
    assert!(outside.join("precious").exists() && !f.path("workspaces/bld_2").is_symlink());
    symlink(&outside, f.path("workspaces/stray")).unwrap();
    f.workspaces.remove_all().await.unwrap();

    assert_eq!(fs::read_dir(f.path("workspaces")).unwrap().count(), 0);
    assert!(outside.join("precious").exists());
    f.workspaces.remove_build(&segment("bld_1")).await.unwrap(); // Gone already: fine.
}

#[tokio::test]
async fn preparing_again_starts_clean() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let first = f.prepare("one", &base).await;
    write(&first.tree().join("left-over"), "1");
    write(&first.git_dir().join("index.lock"), "");

    let second = f.prepare("one", &base).await;
    assert!(!second.tree().join("left-over").exists());
    assert_eq!(harvest(&second).await.commit, None);
}
