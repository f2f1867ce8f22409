//! More builds than are kept in memory.

use crate::scene::*;
use buildwright_commands::Writers;
use std::sync::Arc;

/// Two mailboxes for one build would decide on two states: one of the appends would meet a conflict.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_in_use_has_one_mailbox_however_small_the_cache() {
    const BUILDS: u64 = 24;
    const TASKS: u32 = 12;
    let scene = Arc::new(Scene::with(Writers::OnlyThis, 2).await);
    for n in 0..BUILDS {
        scene.submit(build(n), TASKS).await;
    }
    let mut clients = Vec::new();
    for client in 0..4 {
        for n in 0..BUILDS {
            let scene = Arc::clone(&scene);
            clients.push(tokio::spawn(async move {
                for task in (0..TASKS).filter(|task| task % 4 == client) {
                    scene.execute(build(n), start(task)).await.unwrap();
                    scene.builds.read(build(n), |_| ()).await.unwrap();
                    scene.execute(build(n), finish(task)).await.unwrap();
                }
            }));
        }
    }
    for client in clients {
        soon(client).await.unwrap();
    }
    assert_eq!(scene.store.conflicts(), 0);
    for n in 0..BUILDS {
        assert_eq!(scene.kinds(build(n)).await.last().unwrap(), "merge_scheduled");
        scene.assert_sound(build(n)).await;
    }
}
