//! The store is NATS, which loses everything while the machines go on.

use crate::scene::{Machine, Scene, at};
use buildwright_bundles::{ExchangeError, ExchangeLimits};
use bus_nats::{CopyBounds, KeptArtifacts, NatsArtifacts, NatsBus, NatsOptions};
use chrono::{DateTime, Utc};
use ports::{ArtifactError, Clock};
use std::{sync::Arc, time::Duration};
use testkit::{bus::soon, nats::Server};
use tokio_util::sync::CancellationToken;

struct Always;

impl Clock for Always {
    fn now(&self) -> DateTime<Utc> {
        at(0)
    }
}

async fn machine(scene: &Scene, server: &Server, name: &str) -> Machine {
    let bus = NatsBus::connect(NatsOptions::new(server.url())).await.expect("connected");
    let bounds = CopyBounds { settling: Duration::from_secs(8), ..CopyBounds::default() };
    let folder = scene.artifacts().join(name);
    let store = KeptArtifacts::open(NatsArtifacts::new(&bus), folder.clone(), bounds, Arc::new(Always));
    let store = store.await.expect("opened");
    tokio::spawn(store.clone().run(CancellationToken::new()));
    let noted = async {
        while !folder.join("~made.json").exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(noted).await;
    scene.machine_over(name, ExchangeLimits::default(), Arc::new(store)).await
}

/// Whether the server cannot be reached.
async fn is_away(machine: &Machine) -> bool {
    let head = machine.exchange.head(&machine.project).await;
    matches!(head, Err(ExchangeError::Artifacts(ArtifactError::Unavailable(_))))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn builds_go_on_from_each_others_work_though_the_server_lost_it_all() {
    let (scene, mut server) = (Scene::new(), Server::start());
    let (one, two) = (machine(&scene, &server, "one").await, machine(&scene, &server, "two").await);
    let three = machine(&scene, &server, "three").await;
    // Given a line that two machines made in turns, and a build that is under way.
    one.build("a").await;
    two.build("b").await;
    let base = one.build("c").await;
    let commit = one.commit(&base, "under-way", "1").await;
    one.exchange.share(&one.project, &commit, Some(&base)).await.unwrap();
    // When the server loses everything.
    server.kill();
    server.wipe_data();
    server.start_again();
    for machine in [&one, &two, &three] {
        soon(async { while is_away(machine).await {} }).await;
    }
    // Then a machine that had no part in it sees the whole line, and can go on with the build.
    assert_eq!(three.base().await, base);
    assert_eq!(three.files(&base).await, ["a", "b", "c"]);
    three.exchange.fetch(&three.project, &commit).await.unwrap();
    assert_eq!(three.publish("bld_x", &base, &commit).await.unwrap(), commit);
    // And there is one line still.
    assert_eq!(two.base().await, commit);
    assert_eq!(two.build("d").await, one.base().await);
}
