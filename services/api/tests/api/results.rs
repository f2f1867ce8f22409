//! What completed builds made.

use crate::support::{Api, COMMIT, problem};
use buildwright_api::ApiSettings;
use serde_json::json;

#[tokio::test]
async fn a_completed_build_has_files_a_diff_and_an_archive() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    api.complete(id, 1).await;

    let files = api.json(&format!("/v1/builds/{id}/files")).await;
    assert_eq!(
        files,
        json!({
            "commit": COMMIT, "files": [{"path": "src/main.rs", "mode": "100644", "size": 12}],
        })
    );

    let diff = api.get(&format!("/v1/builds/{id}/diff")).await;
    assert_eq!(diff.headers()["content-type"], "text/x-diff; charset=utf-8");
    assert_eq!(diff.headers()["x-truncated"], "false");
    assert!(diff.text().await.unwrap().ends_with("+line\n"));

    let request = api.request(reqwest::Method::GET, &format!("/v1/builds/{id}/archive.tar.gz"));
    let archive = request.header("accept-encoding", "gzip").send().await.unwrap();
    assert_eq!(archive.headers()["content-type"], "application/gzip");
    assert!(!archive.headers().contains_key("content-encoding"), "an archive is compressed already");
    let name = format!("{}-{}.tar.gz", id.to_string().replace('_', "-").to_lowercase(), &COMMIT[..12]);
    assert_eq!(archive.headers()["content-disposition"], format!("attachment; filename=\"{name}\""));
    assert_eq!(archive.text().await.unwrap(), "\u{1}chunk one, chunk two");
}

#[tokio::test]
async fn a_long_diff_is_cut_and_says_so() {
    let api = Api::with(ApiSettings { max_diff_bytes: 10, ..ApiSettings::default() }).await;
    let id = api.submit_chain(1).await;
    api.complete(id, 1).await;

    let diff = api.get(&format!("/v1/builds/{id}/diff")).await;

    assert_eq!(diff.headers()["x-truncated"], "true");
    assert_eq!(diff.text().await.unwrap().len(), 10);
}

#[tokio::test]
async fn before_a_build_is_completed_there_is_nothing_to_read() {
    let api = Api::start().await;
    let id = api.submit_chain(1).await;
    for kind in ["files", "diff", "archive.tar.gz"] {
        let problem =
            problem(api.get(&format!("/v1/builds/{id}/{kind}")).await, 409, "build_not_completed").await;
        assert_eq!(problem["detail"], "the build is queued");
    }
}
