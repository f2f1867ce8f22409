//! Read models hold nothing that is not in the events.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{Hands, Launch, Plan, Role, Server, Task, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::postgres;

const LIMIT: Duration = Duration::from_secs(60);
const DAMAGE: &str = "UPDATE builds SET title = '\"forged\"', tasks_total = 7, cost_nano_usd = 1; \
    DELETE FROM builds WHERE status = 'failed'; DELETE FROM build_labels";

fn sql(server: &Server, sql: &str) -> String {
    postgres::Server::shared().sql(server.database_url(), sql)
}

/// Unless they are behind for long.
async fn lists(server: &Server) -> Option<[Value; 2]> {
    let all = server.get("/v1/builds?limit=100").await;
    let labelled = server.get("/v1/builds?label=team:web").await;
    (all.status == 200 && labelled.status == 200).then(|| [all.json(), labelled.json()])
}

fn order(prompt: &str, command: &str, labels: &Value) -> Value {
    let plan = Plan::of([Task::command("t", command), Task::command("u", "true")]);
    json!({ "prompt": prompt, "plan": plan.json(), "labels": labels })
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_were_damaged_are_rebuilt_from_the_events_beside_a_projector_at_work() {
    // Given lists of builds of every fate, which somebody has damaged
    let mut server = Server::start(Launch::fleet(Hands::Scripted).projectors(2)).await;
    assert!(server.role(Role::Projector, 2).stop(Signal::SIGTERM).success());
    let web = json!({ "team": "web" });
    server.submit(&order("it works", "true", &web)).await.completed(&server, LIMIT).await;
    server.submit(&order("it fails", "false", &json!({}))).await.ended(&server, LIMIT).await;
    let cancelled = server.submit(&order("it is cancelled", "sleep 60", &web)).await;
    server.post(&format!("/v1/builds/{}/cancel", cancelled.id), &json!({})).await;
    cancelled.ended(&server, LIMIT).await;
    let (listed, _) = until(LIMIT, "the lists", || lists(&server)).await;
    assert_eq!(listed[0]["builds"].as_array().unwrap().len(), 3, "{listed:#?}");
    assert_eq!(listed[1]["builds"].as_array().unwrap().len(), 2, "{listed:#?}");
    sql(&server, DAMAGE);
    assert_ne!(lists(&server).await.as_ref(), Some(&listed));

    // When a second projector rebuilds them, while the first goes on
    server.role(Role::Projector, 2).start_with(&["--rebuild"]).await;

    // Then they are what they were,
    let are_back = || async { (lists(&server).await.as_ref() == Some(&listed)).then_some(()) };
    until(LIMIT, "the lists are what they were", are_back).await;
    assert_eq!(sql(&server, "SELECT era FROM checkpoints WHERE name = 'builds'"), "1");

    // and either projector keeps them without the other.
    for (gone, count) in [(2, 4), (1, 5)] {
        server.role(Role::Projector, gone).kill9();
        server.submit(&order("another", "true", &web)).await.completed(&server, LIMIT).await;
        let one_more = || async {
            let [all, labelled] = lists(&server).await?;
            let is_there = all["builds"][0]["status"] == "completed";
            (is_there
                && [all, labelled].iter().zip([count, count - 1]).all(|(list, count)| {
                    list["builds"].as_array().is_some_and(|builds| builds.len() == count)
                }))
            .then_some(())
        };
        until(LIMIT, "one more is listed", one_more).await;
        server.role(Role::Projector, gone).start().await;
    }
}
