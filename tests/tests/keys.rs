//! API keys, from the command that makes one to the request that it lets in.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    Api, CommandLine, ExecutorLaunch, Hands, Launch, Plan, Ran, Role, Server, Task, until, within,
};
use serde_json::{Value, json};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn order(command: &str) -> Value {
    json!({ "prompt": "p", "project": "shop", "plan": Plan::of([Task::command("t0", command)]).json() })
}

/// A server that lets nobody in without a key, and says all it can say.
async fn locked(launch: Launch) -> Server {
    Server::start(launch.env("BUILDWRIGHT_REQUIRE_KEYS", "true").env("BUILDWRIGHT_LOG", "trace")).await
}

/// `buildwright keys …` on the store of a server.
async fn keys(server: &Server, args: &[&str]) -> Ran {
    let shell = CommandLine::new(Hands::Scripted);
    let mut command = shell.command(&[&["keys"], args].concat());
    command.env("BUILDWRIGHT_DATA_DIR", server.data_dir());
    if server.is_fleet() {
        command.env("DATABASE_URL", server.database_url());
    }
    let running = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
    Ran::of(&within(LIMIT, "the end of keys", running).await.expect("it was waited for"))
}

/// A new key: its id and its text.
async fn key(server: &Server, tenant: &str, scopes: &str) -> (String, String) {
    let args = ["create", "--name", "a test", "--tenant", tenant, "--scope", scopes, "--output", "json"];
    let made = keys(server, &args).await.ok().json();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("key"))
}

async fn refused_with(api: &Api, path: &str, status: u16, kind: &str) {
    let answer = api.get(path).await;
    assert_eq!(answer.status, status, "{path}: {}", answer.text());
    assert_eq!(answer.json()["type"], format!("urn:buildwright:problem:{kind}"), "{path}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_used_listed_and_revoked_while_the_server_runs() {
    let server = locked(Launch::with(Hands::Scripted)).await;
    refused_with(&server, "/v1/builds", 401, "key_missing").await;

    let (id, text) = key(&server, "shop", "builds:read,builds:write").await;
    let client = server.with_key(&text);
    let build = client.submit(&order("echo made > made.txt")).await;
    build.completed(&client, LIMIT).await;
    let events = client.get(&format!("/v1/builds/{}/events", build.id)).await.ok();
    assert_eq!(events["events"][0]["actor"], id.as_str());
    refused_with(&client, "/v1/executors", 403, "scope_missing").await;

    // The list shows all of it but the secret.
    let listed = keys(&server, &["list", "--output", "json"]).await.ok();
    let shown = &listed.json()["keys"][0];
    assert_eq!(
        (&shown["id"], &shown["state"], &shown["tenant"]),
        (&json!(id), &json!("usable"), &json!("shop"))
    );
    assert_eq!(shown["prefix"], text[..11]);
    let table = keys(&server, &["list", "--tenant", "shop"]).await.ok();
    assert!(table.out.contains(&id) && table.out.contains("builds:read builds:write"), "{}", table.out);
    assert!(!listed.out.contains(&text[12..]) && !table.out.contains(&text[12..]));

    // Once it is revoked it stops working soon, and for good.
    let (revoked, begun) = (keys(&server, &["revoke", &id]).await.ok(), std::time::Instant::now());
    assert!(revoked.out.contains("is revoked"), "{}", revoked.out);
    until(LIMIT, "the key is refused", || async {
        (client.get("/v1/builds").await.status == 401).then_some(())
    })
    .await;
    println!("refused after {:?}", begun.elapsed());
    refused_with(&client, "/v1/builds", 401, "key_revoked").await;
    let listed = keys(&server, &["list", "--output", "json"]).await.ok().json();
    assert_eq!(listed["keys"][0]["state"], "revoked");

    // Whatever was said in all that time, the key was not.
    assert!(server.log().contains("/v1/builds"), "it says what it does");
    assert!(!server.log().contains(&text[12..]), "the key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_the_query_string_is_refused_and_written_nowhere() {
    let server = locked(Launch::with(Hands::Scripted)).await;
    let (_, text) = key(&server, "default", "admin").await;
    for path in
        [format!("/v1/builds?api_key={text}"), format!("/v1/events?x={text}"), format!("/healthz?{text}")]
    {
        refused_with(&server.with_key(&text), &path, 401, "key_in_query").await;
    }
    refused_with(&server.with_key(&format!("{text}x")), "/v1/builds", 401, "key_invalid").await;
    assert!(!server.log().contains(&text[12..]), "the key is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tenants_with_projects_of_one_name_share_nothing() {
    let server = locked(Launch::with(Hands::Scripted)).await;
    let ann = server.with_key(&key(&server, "ann", "builds:read,builds:write").await.1);
    let bob = server.with_key(&key(&server, "bob", "builds:read,builds:write").await.1);
    let first = ann.submit(&order("echo ann > secret.txt")).await;
    first.completed(&ann, LIMIT).await;
    let second = bob.submit(&order("ls > seen.txt")).await;
    second.completed(&bob, LIMIT).await;

    // Bob's build began with an empty repository, not with what ann's of the same name had made.
    let files = bob.get(&format!("/v1/builds/{}/files", second.id)).await.ok();
    assert!(!files.to_string().contains("secret.txt"), "{files}");
    let files = ann.get(&format!("/v1/builds/{}/files", first.id)).await.ok();
    assert!(files.to_string().contains("secret.txt"), "{files}");

    // What is ann's is not there for bob.
    let task = format!("{}_0", first.id.replace("bld_", "tsk_"));
    let build = format!("/v1/builds/{}", first.id);
    for path in [
        build.clone(),
        format!("{build}?wait=1s"),
        format!("{build}?asOf=1"),
        format!("{build}/plan"),
        format!("{build}/plan/output"),
        format!("{build}/tasks"),
        format!("{build}/files"),
        format!("{build}/diff"),
        format!("{build}/archive.tar.gz"),
        format!("{build}/events"),
        format!("/v1/tasks/{task}"),
        format!("/v1/tasks/{task}/output"),
    ] {
        for accept in ["application/json", "text/event-stream"] {
            let request = bob.request(reqwest::Method::GET, &path).header("accept", accept);
            assert_eq!(bob.send(request).await.status, 404, "{path}");
        }
    }
    assert_eq!(bob.post(&format!("{build}/cancel"), &json!({})).await.status, 404);
    for path in
        ["/v1/builds", "/v1/builds?status=completed", "/v1/builds?project=shop", "/v1/events?limit=1000"]
    {
        let answer = bob.get(path).await.ok().to_string();
        assert!(answer.contains(&second.id) && !answer.contains(&first.id), "{path}: {answer}");
    }
    let mut log = bob.follow("/v1/events?follow=false", None).await;
    while let Some(event) = within(LIMIT, "the next event", log.next()).await {
        assert!(!event.data.contains(&first.id), "{}", event.data);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_this_machine_nothing_starts_without_a_key_that_could_be_used() {
    let shell = CommandLine::new(Hands::Scripted);
    let refused = shell.run(&["up", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(refused.code, 2, "{}", refused.err);
    assert!(refused.err.contains("buildwright keys create"), "{}", refused.err);
    assert!(refused.err.contains("--allow-unauthenticated"), "{}", refused.err);
    let both = shell.run(&["up", "--require-keys", "--allow-unauthenticated"]).await;
    assert_eq!(both.code, 2, "{}", both.err);

    // One that was revoked will not do, a good one does.
    let make = ["keys", "create", "--name", "ops", "--scope", "admin", "--output", "json"];
    let made = shell.run(&make).await.ok().json();
    let _ = shell.run(&["keys", "revoke", made["id"].as_str().unwrap()]).await.ok();
    assert_eq!(shell.run(&["up", "--listen", "0.0.0.0:0"]).await.code, 2);
    let _ = shell.run(&make).await.ok();
    let mut up = shell.command(&["up", "--listen", "0.0.0.0:0"]).spawn().expect("it starts");
    let announced = shell.home("data").join("server.json");
    until(LIMIT, "it listens", || async { announced.exists().then_some(()) }).await;
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(up.id()).unwrap()),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    assert!(up.wait().expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_speak_with_the_key_of_the_environment() {
    let server = locked(Launch::with(Hands::Scripted)).await;
    let (_, text) = key(&server, "default", "builds:read").await;
    let shell = CommandLine::new(Hands::Scripted);
    let url = server.url("");
    let ask = async |key: Option<&str>| {
        let mut command = shell.command(&["builds", "--server", &url]);
        command.envs(key.map(|key| ("BUILDWRIGHT_API_KEY", key.to_owned())));
        let running = tokio::task::spawn_blocking(move || command.output().expect("it starts"));
        Ran::of(&within(LIMIT, "the end of builds", running).await.expect("it was waited for"))
    };
    assert_eq!(ask(Some(&text)).await.code, 0);
    let without = ask(None).await;
    assert_ne!(without.code, 0);
    assert!(without.err.contains("API key"), "{}", without.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_key_is_not_made() {
    let shell = CommandLine::new(Hands::Scripted);
    for args in [
        &["keys", "create", "--name", "n"][..],
        &["keys", "create", "--name", "n", "--scope", "everything"],
        &["keys", "create", "--name", "n", "--scope", "admin", "--tenant", "No Tenant"],
        &["keys", "create", "--name", "n", "--scope", "admin", "--expires", "soon"],
        &["keys", "create", "--name", "n", "--scope", "admin", "--open-builds", "0"],
        &["keys", "revoke", "bw_something"],
        &["keys", "revoke", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    ] {
        assert_eq!(shell.run(args).await.code, 2, "{args:?}");
    }
    let listed = shell.run(&["keys", "list", "--output", "json"]).await.ok();
    assert_eq!(listed.json()["keys"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stops_working_at_every_door_of_a_fleet() {
    let launch = Launch::fleet(Hands::Scripted).apis(2).executor(ExecutorLaunch::new().slots(1));
    let server = locked(launch).await;
    let (id, text) = key(&server, "shop", "admin").await;
    let doors = [1, 2].map(|number| server.instance(Role::Api, number).api().with_key(&text));
    for door in &doors {
        assert_eq!(door.get("/v1/builds").await.status, 200);
    }
    let _ = keys(&server, &["revoke", &id]).await.ok();
    for door in &doors {
        until(LIMIT, "the key is refused", || async {
            (door.get("/v1/builds").await.status == 401).then_some(())
        })
        .await;
        refused_with(door, "/v1/builds", 401, "key_revoked").await;
    }
    assert!(!server.log().contains(&text[12..]), "the key is in a log");
}
