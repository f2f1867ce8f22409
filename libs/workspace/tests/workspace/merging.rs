//! Merging without a work tree.

use buildwright_workspace::MergeError;

use crate::fixture::{Fixture, at, open_project, task_ref};

#[tokio::test]
async fn nothing_merges_to_nothing_and_one_commit_to_itself() {
    let f = Fixture::new().await;
    let base = f.base().await;
    assert!(matches!(f.project.merge(&[], "m", at(0)).await, Err(MergeError::Nothing)));
    assert_eq!(f.project.merge(std::slice::from_ref(&base), "m", at(0)).await.unwrap(), base);
}

#[tokio::test]
async fn the_work_of_all_predecessors_comes_together() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let a = f.commit_files("a", &base, &[("a", "1")]).await;
    let b = f.commit_files("b", &base, &[("b", "1")]).await;
    let c = f.commit_files("c", &base, &[("c", "1")]).await;

    let merged = f.project.merge(&[a, b, c], "Merge predecessors", at(0)).await.unwrap();
    assert_eq!(f.inspect(&["ls-tree", "--name-only", merged.as_str()]), "a\nb\nc");
}

#[tokio::test]
async fn a_predecessor_that_another_one_contains_is_left_out() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let a = f.commit_files("a", &base, &[("a", "1")]).await;
    let b = f.commit_files("b", &a, &[("b", "1")]).await;
    let merged = f.project.merge(&[base, a.clone(), b.clone(), a], "m", at(0)).await.unwrap();
    assert_eq!(merged, b);
}

#[tokio::test]
async fn the_same_commits_merge_to_the_same_id_in_any_order_and_anywhere() {
    let f = Fixture::new().await;
    let base = f.base().await;
    let mut commits = Vec::new();
    for name in ["a", "b", "c", "d"] {
        commits.push(f.commit_files(name, &base, &[(name, name)]).await);
    }
    let one = f.project.merge(&commits, "m", at(5)).await.unwrap();

    let elsewhere = open_project(&f.git, &f.path("elsewhere"), "shop").await;
    assert_eq!(elsewhere.base(&"main".parse().unwrap(), None, at(0)).await.unwrap(), base);
    for (name, commit) in ["a", "b", "c", "d"].iter().zip(&commits) {
        let bundle = f.path(&format!("{name}.bundle"));
        elsewhere.import(&bundle, commit, &task_ref(name), 1 << 20).await.unwrap();
    }
    commits.reverse();
    assert_eq!(elsewhere.merge(&commits, "m", at(5)).await.unwrap(), one);
}

#[tokio::test]
async fn a_conflict_names_the_paths_and_leaves_no_trace() {
    let f = Fixture::new().await;
    let base = f.commit_files("base", &f.base().await, &[("same", "0"), ("gone", "0"), ("fine", "0")]).await;
    let a = f.commit_files("a", &base, &[("same", "1"), ("two\nlines", "1")]).await;
    let b = f.commit_files("b", &base, &[("same", "2"), ("two\nlines", "2"), ("fine", "1")]).await;
    let refs = f.inspect(&["for-each-ref"]);

    let error = f.project.merge(&[a, b], "m", at(0)).await.unwrap_err();
    let MergeError::Conflict { paths } = &error else { panic!("{error}") };
    assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), ["same", "two\\x0alines"]);
    assert_eq!(error.to_string(), "the changes conflict in same, two\\x0alines");
    assert_eq!(f.inspect(&["for-each-ref"]), refs);
}

#[tokio::test]
async fn an_unknown_commit_is_an_error_of_git_not_a_conflict() {
    let f = Fixture::new().await;
    let unknown = "1".repeat(40).parse().unwrap();
    let error = f.project.merge(&[f.base().await, unknown], "m", at(0)).await.unwrap_err();
    assert!(matches!(error, MergeError::Git(_)), "{error}");
}
