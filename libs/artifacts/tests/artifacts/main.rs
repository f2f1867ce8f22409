//! The stories that every store of artifacts passes, told on S3.
#![expect(clippy::expect_used, clippy::panic, reason = "a stage that fails fails its story")]

mod server;

use buildwright_artifacts::{ArtifactPlace, S3Artifacts, S3Options};
use ports::{ArtifactError, ArtifactStore};
use server::Server;
use std::{fs, sync::Arc, time::Duration};
use testkit::bus::Stage;

async fn stage(options: S3Options) -> Stage<Arc<dyn ArtifactStore>> {
    let server = Server::start();
    let store: Arc<dyn ArtifactStore> = Arc::new(open(server.port(), options));
    Stage::of_one_process(store, server)
}

fn open(port: u16, options: S3Options) -> S3Artifacts {
    // Whatever else uses TLS in a process chooses who does it; here nothing else does.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = format!("s3://shop/build/wright?endpoint=http://127.0.0.1:{port}&region=us-east-1");
    let ArtifactPlace::S3(place) = url.parse().expect("a place") else { panic!("it is S3") };
    let credentials = [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("PATH", "/bin")];
    let environment = credentials.map(|(name, value)| (name.to_owned(), value.to_owned()));
    S3Artifacts::open(&place, environment, options).expect("a store")
}

mod in_one_piece {
    use super::{ArtifactStore, S3Options, Stage, stage};
    use std::sync::Arc;

    async fn whole() -> Stage<Arc<dyn ArtifactStore>> {
        stage(S3Options::default()).await
    }
    testkit::artifact_stories!(whole);
}

mod in_parts {
    use super::{ArtifactStore, S3Options, Stage, stage};
    use std::sync::Arc;

    async fn parted() -> Stage<Arc<dyn ArtifactStore>> {
        stage(S3Options { part_bytes: 100_000, ..S3Options::default() }).await
    }
    testkit::artifact_stories!(parted);
}

#[tokio::test]
async fn what_was_sent_in_parts_leaves_nothing_behind() {
    let server = Server::start();
    let store = open(server.port(), S3Options { part_bytes: 10, ..S3Options::default() });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "longer than a part").unwrap();
    let key = "a".to_owned().try_into().unwrap();
    assert!(store.put(&key, &file).await.unwrap());
    assert!(!store.put(&key, &file).await.unwrap());
    assert_eq!(server.keys(), ["build/wright/a"]);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let store = open(free, S3Options { read_timeout: Duration::from_secs(1), ..S3Options::default() });
    let folder = tempfile::tempdir().unwrap();
    let to = folder.path().join("file");
    let error = store.get(&"a".to_owned().try_into().unwrap(), &to).await.unwrap_err();
    assert!(matches!(error, ArtifactError::Unavailable(_)), "{error}");
    assert!(!to.exists());
}
