//! Bringing a build's work onto a branch.

use buildwright_workspace::{MergeError, PublishError};
use names::{BranchName, Commit, RefName};

use crate::fixture::{Fixture, at, open_project, segment};

async fn publish(f: &Fixture, build: &str, commit: &Commit) -> Result<Commit, PublishError> {
    let build = RefName::of_build(&segment(build));
    let published = f.project.publish(&build, commit, &BranchName::main(), "Merge a build", at(9)).await?;
    Ok(published.commit)
}

#[tokio::test]
async fn the_first_build_becomes_the_branch_and_the_next_starts_from_it() {
    let f = Fixture::new().await;
    let commit = f.commit_files("a", &f.base().await, &[("a", "1")]).await;
    assert_eq!(publish(&f, "bld_1", &commit).await.unwrap(), commit);
    assert_eq!(f.base().await, commit);
    assert_eq!(f.inspect(&["rev-parse", "refs/builds/bld_1/result"]), commit.as_str());
}

#[tokio::test]
async fn a_build_ahead_of_the_branch_moves_it_forward() {
    let f = Fixture::new().await;
    let a = f.commit_files("a", &f.base().await, &[("a", "1")]).await;
    let b = f.commit_files("b", &a, &[("b", "1")]).await;
    publish(&f, "bld_1", &a).await.unwrap();
    assert_eq!(publish(&f, "bld_2", &b).await.unwrap(), b);
    assert_eq!(publish(&f, "bld_1", &a).await.unwrap(), a, "published already: the branch stays");
    assert_eq!(f.base().await, b);
}

#[tokio::test]
async fn builds_side_by_side_are_merged_and_publishing_again_answers_the_same() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let mut merges = Vec::new();
    for name in ["a", "b", "c"] {
        let commit = f.commit_files(name, &base, &[(name, "1")]).await;
        merges.push((name, commit.clone(), publish(&f, name, &commit).await.unwrap()));
    }
    assert_eq!(f.inspect(&["ls-tree", "--name-only", "main"]), "a\nb\nc");
    let tip = f.base().await;
    for (name, commit, published) in merges {
        assert_eq!(publish(&f, name, &commit).await.unwrap(), published, "{name}");
    }
    assert_eq!(f.base().await, tip);
}

#[tokio::test]
async fn a_conflict_leaves_the_branch_alone_but_keeps_the_work() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let a = f.commit_files("a", &base, &[("same", "1")]).await;
    let b = f.commit_files("b", &base, &[("same", "2")]).await;
    publish(&f, "bld_a", &a).await.unwrap();
    let error = publish(&f, "bld_b", &b).await.unwrap_err();
    assert!(matches!(error, PublishError::Merge(MergeError::Conflict { .. })), "{error}");
    assert_eq!(f.base().await, a);
    assert_eq!(f.inspect(&["rev-parse", "refs/builds/bld_b/result"]), b.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_publish_at_once_lose_nothing() {
    // Given what four processes would hold: handles on one repository that share no lock in memory.
    let f = Fixture::new().await;
    let base = f.base().await;
    let mut builds = Vec::new();
    for n in 0..4 {
        let name = format!("n{n}");
        let commit = f.commit_files(&name, &base, &[(&name, "1")]).await;
        builds.push((open_project(&f.git, &f.path("repositories"), "shop").await, name, commit));
    }
    // When all publish at once.
    let publishing = builds.into_iter().map(|(project, name, commit)| {
        tokio::spawn(async move {
            let build = RefName::of_build(&segment(&name));
            project.publish(&build, &commit, &BranchName::main(), "m", at(0)).await
        })
    });
    for published in publishing.collect::<Vec<_>>() {
        published.await.unwrap().unwrap();
    }
    // Then the branch has it all.
    assert_eq!(f.inspect(&["ls-tree", "--name-only", "main"]), "n0\nn1\nn2\nn3");
}
