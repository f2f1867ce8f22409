#![allow(missing_docs, clippy::all)]
use buildwright_blackbox::*;
use std::time::Duration;
use serde_json::json;
#[tokio::test(flavor = "multi_thread")]
async fn probe() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let p = Plan::of([Task::file("a", "a.txt", &[write("a.txt", "made by a\n"), say("Done.", 200)])]).prompt();
    println!("{p}");
    let build = server.submit(&json!({"prompt": p})).await;
    let e = build.ended(&server, Duration::from_secs(60)).await;
    println!("{e:#}");
    let o = build.get(&server, "/plan/output?limit=1000").await;
    for l in o["lines"].as_array().unwrap() { println!("{}", &l["text"].as_str().unwrap().chars().take(1500).collect::<String>()); }
}
