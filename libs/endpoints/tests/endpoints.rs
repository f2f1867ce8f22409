//! Endpoints over a real file.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use buildwright_endpoints::{Change, ChangeError, Contents, Endpoints, Given, Vault, VaultError};
use chrono::{DateTime, TimeDelta, Utc};
use commands::Expected;
use domain::{
    EndpointId,
    endpoint::{Command, DeliveryOrder, EndpointSpec, PayloadKind, Signatures, Values},
};
use ports::{Chance, Clock, EventStore, NoChance, Position, Version};
use seal::{MasterKey, Seal};
use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};
use store_sqlite::{SqliteOptions, SqliteStore};
use tempfile::TempDir;
use ulid::Ulid;

struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        noon()
    }
}

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Different every time, and the same in every run.
struct Dice(AtomicU8);

impl Chance for Dice {
    fn bytes(&self) -> Result<[u8; 32], NoChance> {
        Ok([self.0.fetch_add(1, Ordering::SeqCst); 32])
    }
}

struct Scene {
    folder: TempDir,
    store: SqliteStore,
    endpoints: Endpoints,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store =
            SqliteStore::open(&folder.path().join("events.db"), SqliteOptions::default()).await.unwrap();
        let endpoints = over(&store);
        Self { folder, store, endpoints }
    }

    async fn create(&self, given: Given) -> buildwright_endpoints::Rotated {
        let tenant = "acme".parse().unwrap();
        self.endpoints.create(id(), "ann".into(), tenant, spec(), given).await.unwrap()
    }

    async fn contents(&self) -> (Version, Contents) {
        self.endpoints.vault().open(id()).await.unwrap()
    }

    async fn kinds(&self) -> Vec<String> {
        let events = self.store.read_all(Position(0), 100).await.unwrap();
        events.iter().map(|event| event.kind.to_string()).collect()
    }
}

fn over(store: &SqliteStore) -> Endpoints {
    let seal = Seal::new(MasterKey::from_bytes(&[42; 32]));
    let vault = Vault::new(Arc::new(store.clone()), seal, Arc::new(Dice(AtomicU8::new(1))));
    Endpoints::new(Arc::new(store.clone()), vault, Arc::new(Noon))
}

fn id() -> EndpointId {
    EndpointId::new(Ulid(7))
}

fn spec() -> EndpointSpec {
    EndpointSpec {
        url: "https://example.com/hooks".into(),
        description: String::new(),
        events: vec!["*".into()],
        projects: Vec::new(),
        labels: BTreeMap::new(),
        payload: PayloadKind::Full,
        header_names: Vec::new(),
        order: DeliveryOrder::Any,
        rate_per_second: None,
        concurrency: 1,
        timeout_seconds: 15,
        signatures: Signatures::HmacAndEd25519,
        build: None,
    }
}

fn headers(value: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("authorization".to_owned(), value.to_owned())])
}

#[tokio::test]
async fn a_creation_that_is_carried_out_twice_is_one_with_one_secret() {
    let scene = Scene::new().await;
    let first = scene.create(Given::default()).await;
    let again = scene.create(Given::default()).await;
    assert_eq!(*first.secret.reveal(), *again.secret.reveal());
    assert_eq!(first.loaded, again.loaded);
    assert_eq!(scene.kinds().await, ["webhook_endpoint_created"]);
}

#[tokio::test]
async fn of_two_who_change_at_once_both_changes_are_made_one_after_the_other() {
    let scene = Scene::new().await;
    scene.create(Given::default()).await;
    let change = |url: &str, concurrency: Option<u32>| {
        let url = (!url.is_empty()).then(|| url.to_owned());
        move |spec: &EndpointSpec| {
            let mut spec = spec.clone();
            spec.url = url.clone().unwrap_or(spec.url);
            spec.concurrency = concurrency.unwrap_or(spec.concurrency);
            Change { spec, headers: None }
        }
    };
    let other = over(&scene.store);
    let any = Expected::Any;
    let (one, two) = tokio::join!(
        scene.endpoints.update(id(), "ann".into(), &any, change("https://example.com/other", None)),
        other.update(id(), "bob".into(), &any, change("", Some(9))),
    );
    assert_eq!(one.unwrap().version.0.max(two.unwrap().version.0), 3);
    let now = scene.endpoints.load(id()).await.unwrap().unwrap().endpoint.spec;
    assert_eq!((now.url.as_str(), now.concurrency), ("https://example.com/other", 9));
}

#[tokio::test]
async fn secrets_belong_to_the_version_that_changed_them() {
    let scene = Scene::new().await;
    scene.create(Given { headers: headers("one"), ..Given::default() }).await;
    let until = noon() + TimeDelta::hours(24);
    let rotated = scene.endpoints.rotate(id(), "ann".into(), &Expected::Any, None, until).await.unwrap();
    let (version, contents) = scene.contents().await;
    assert_eq!((version, rotated.loaded.version), (Version(2), Version(2)));
    assert_eq!((contents.secrets(noon()).count(), contents.secrets(until).count()), (2, 1));
    assert_eq!(contents.headers, headers("one"));

    let stale = Expected::OneOf(vec![Version(1)]);
    let refused = scene.endpoints.rotate(id(), "ann".into(), &stale, None, until).await;
    assert!(matches!(refused, Err(ChangeError::Outdated)), "{refused:?}");
    assert_eq!(scene.contents().await.0, Version(2));

    scene.endpoints.delete(id(), "ann".into(), &Expected::Any).await.unwrap();
    assert!(scene.endpoints.load(id()).await.unwrap().is_none());
    assert!(scene.endpoints.vault().open(id()).await.is_err());
}

#[tokio::test]
async fn whoever_dies_before_new_values_of_headers_are_kept_leaves_none() {
    let scene = Scene::new().await;
    let made = scene.create(Given { headers: headers("one"), ..Given::default() }).await;
    let other = EndpointSpec { url: "https://example.com/other".into(), ..made.loaded.endpoint.spec };
    let update = Command::Update { spec: other.clone(), values: Values::Replaced, at: noon() };
    let any = Expected::Any;
    scene.endpoints.execute(id(), "ann".into(), &any, |_| Ok(update.clone())).await.unwrap();
    let contents = async |version| scene.endpoints.contents(id(), Version(version)).await;
    assert_eq!(contents(1).await.unwrap().headers, headers("one"));
    assert!(matches!(contents(2).await, Err(VaultError::Behind)));

    // Another change does not make the old ones belong to the new address.
    let until = noon() + TimeDelta::hours(24);
    scene.endpoints.rotate(id(), "ann".into(), &any, None, until).await.unwrap();
    assert!(matches!(contents(2).await, Err(VaultError::Ahead)));
    assert_eq!(contents(3).await.unwrap().headers, BTreeMap::new());

    let again = |_: &EndpointSpec| Change { spec: other.clone(), headers: Some(headers("two")) };
    scene.endpoints.update(id(), "ann".into(), &any, again).await.unwrap();
    assert_eq!(contents(4).await.unwrap().headers, headers("two"));

    // What leaves the values as they are changes nothing about them.
    let url = |spec: &EndpointSpec| Change {
        spec: EndpointSpec { url: "https://example.com/third".into(), ..spec.clone() },
        headers: None,
    };
    scene.endpoints.update(id(), "ann".into(), &any, url).await.unwrap();
    assert_eq!(contents(5).await.unwrap().headers, headers("two"));
}

#[tokio::test]
async fn another_key_opens_nothing() {
    let scene = Scene::new().await;
    scene.create(Given::default()).await;
    let seal = Seal::new(MasterKey::from_bytes(&[43; 32]));
    let vault = Vault::new(Arc::new(scene.store.clone()), seal, Arc::new(Dice(AtomicU8::new(1))));
    assert!(vault.open(id()).await.unwrap_err().to_string().contains("another key"));
}

#[tokio::test]
async fn no_secret_and_no_value_of_a_header_is_in_the_files_of_the_store() {
    let scene = Scene::new().await;
    let value = "Bearer hidden-value";
    let made = scene.create(Given { headers: headers(value), ..Given::default() }).await;
    let until = noon() + TimeDelta::hours(24);
    let rotated = scene.endpoints.rotate(id(), "ann".into(), &Expected::Any, None, until).await.unwrap();
    let key = scene.contents().await.1.private_key().unwrap();
    scene.store.close().await;

    let bytes = all_bytes(scene.folder.path());
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("https://example.com/hooks"), "that is where to look");
    for secret in [made.secret.reveal(), rotated.secret.reveal(), key.reveal()] {
        let bare = secret.split_once('_').unwrap().1;
        assert!(!holds(bare) && !holds(&bare[..20]), "a secret is in the files");
    }
    assert!(!holds(value) && !holds("hidden-value"), "the value of a header is in the files");
}

fn all_bytes(folder: &Path) -> Vec<u8> {
    let files = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    files.flat_map(|file| std::fs::read(file).unwrap()).collect()
}
