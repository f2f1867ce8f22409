//! Requests that must be refused: each with a problem document that names the field; nothing stored, nothing spawned.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{Answer, Hands, Launch, ScriptedModel, Server};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

#[tokio::test(flavor = "multi_thread")]
async fn bad_orders_are_refused_and_leave_no_trace() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let before = Trace::of(&server);

    for (order, pointer) in bad_orders() {
        let answer = server.post("/v1/builds", &order).await;
        refused(&answer, 422, &pointer, &order.to_string());
    }
    for (body, status, pointer) in bad_bodies() {
        let text = String::from_utf8_lossy(&body).into_owned();
        let answer = server.send(raw(&server).header("content-type", "application/json").body(body)).await;
        refused(&answer, status, pointer, &text);
    }
    for media_type in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", ""]
    {
        let request = raw(&server).header("content-type", media_type).body(r#"{"prompt":"p"}"#);
        let answer = server.send(request).await;
        assert_eq!((answer.status, answer.problem_pointers()), (415, vec![]), "{media_type}");
    }
    let untyped = server.send(raw(&server).body(r#"{"prompt":"p"}"#)).await;
    assert_eq!((untyped.status, untyped.problem_pointers()), (415, vec![]));

    before.assert_unchanged(&server, &model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_an_order_is_named_at_once() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let order = json!({ "prompt": " ", "project": "../x", "limits": { "maxParallel": 0 }, "nonsense": 1,
        "plan": { "tasks": [{ "id": "a", "type": "do_magic", "prompt": "p", "targets": ["/etc/passwd"] }] } });
    let named: BTreeSet<String> =
        server.post("/v1/builds", &order).await.problem_pointers().into_iter().collect();
    for pointer in [
        "/prompt",
        "/project",
        "/limits/maxParallel",
        "/nonsense",
        "/plan/tasks/0/type",
        "/plan/tasks/0/targets/0",
    ] {
        assert!(named.contains(pointer), "{pointer} is not among {named:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_error_is_a_problem_document_too() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    let unknown = "/v1/builds/bld_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for (method, path, status) in [
        (Method::GET, "/v1/nothing".to_owned(), 404),
        (Method::GET, unknown.to_owned(), 404),
        (Method::GET, format!("{unknown}/events"), 404),
        (Method::GET, format!("{unknown}/archive.tar.gz"), 404),
        (Method::POST, format!("{unknown}/cancel"), 404),
        (Method::GET, "/v1/builds/..%2f..%2fetc%2fpasswd".to_owned(), 404),
        (Method::GET, "/v1/tasks/tsk_nobody".to_owned(), 404),
        (Method::GET, "/v1/tasks/tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV_7/output".to_owned(), 404),
        (Method::DELETE, "/v1/builds".to_owned(), 405),
        (Method::GET, "/v1/builds?limit=0".to_owned(), 400),
        (Method::GET, "/v1/builds?cursor=%00".to_owned(), 400),
        (Method::GET, "/v1/builds?status=perhaps".to_owned(), 400),
        (Method::GET, "/v1/builds?colour=red".to_owned(), 400),
        (Method::GET, "/v1/events?after=-1".to_owned(), 400),
        (Method::GET, "/v1/events?after=99999999999999999999".to_owned(), 400),
    ] {
        let answer = server.send(server.request(method.clone(), &path)).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        let named = answer.problem_pointers();
        assert_eq!(named.is_empty(), status != 400, "{method} {path}: {named:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_http_does_not_disturb_the_server() {
    let server = Server::start(Launch::with(Hands::Scripted)).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/builds HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/builds HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"pro",
    ] {
        let mut connection = TcpStream::connect(server.address()).unwrap();
        connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        connection.write_all(bytes).unwrap();
        let _ = connection.read(&mut [0; 1024]);
    }
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(server.get("/v1/events").await.ok()["events"], json!([]));
}

fn raw(server: &Server) -> reqwest::RequestBuilder {
    server.request(Method::POST, "/v1/builds")
}

fn refused(answer: &Answer, status: u16, pointer: &str, order: &str) {
    let order: String = order.chars().take(200).collect();
    assert_eq!(answer.status, status, "{order}: {}", answer.text());
    let named = answer.problem_pointers();
    assert!(named.iter().any(|named| named == pointer), "{pointer} is not named but {named:?}: {order}");
}

/// What a request could leave behind.
struct Trace {
    files: BTreeSet<PathBuf>,
    children: u64,
    requests: usize,
}

impl Trace {
    fn of(server: &Server) -> Self {
        let mut files = BTreeSet::new();
        for instance in server.instances() {
            list(instance.data_dir(), &mut files);
        }
        Self { files, children: server.pages_of_ended_children(), requests: 0 }
    }

    async fn assert_unchanged(&self, server: &Server, model: &ScriptedModel) {
        assert_eq!(server.get("/v1/builds").await.ok()["builds"], json!([]));
        assert_eq!(server.get("/v1/events").await.ok()["events"], json!([]));
        let now = Self::of(server);
        assert_eq!(now.files, self.files);
        assert_eq!(now.children, self.children, "a process was started");
        assert!(server.workers().is_empty(), "{:?}", server.workers());
        assert_eq!(model.requests(), self.requests);
    }
}

fn list(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), into);
        }
        into.insert(entry.path());
    }
}

fn bad_bodies() -> Vec<(Vec<u8>, u16, &'static str)> {
    let deep = |levels: usize| format!("{{\"prompt\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
    let deep_labels =
        format!("{{\"prompt\":\"p\",\"labels\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    vec![
        (b"{\"prompt\":\"\xff\xfe caf\xe9\"}".to_vec(), 400, "/prompt"),
        (deep(100).into_bytes(), 400, ""),
        (deep(500_000).into_bytes(), 400, ""),
        (deep_labels.into_bytes(), 400, ""),
        (b"".to_vec(), 400, ""),
        (b"{\"prompt\":".to_vec(), 400, ""),
        (b"{\"prompt\":\"p\"} trailing".to_vec(), 400, ""),
        (b"[]".to_vec(), 422, ""),
        (b"null".to_vec(), 422, ""),
        (b"{\"prompt\":\"\\u0000\"}".to_vec(), 422, "/prompt"),
        (b"{\"prompt\":\"p\",\"limits\":{\"maxCostUsd\":1e999}}".to_vec(), 400, ""),
    ]
}

/// Orders, and the field that each must be refused for.
fn bad_orders() -> Vec<(Value, String)> {
    let mut bad = Vec::new();
    let mut add = |order: Value, pointer: &str| bad.push((order, pointer.to_owned()));
    add(json!({}), "/prompt");
    add(json!({ "prompt": "" }), "/prompt");
    add(json!({ "prompt": " \n\t" }), "/prompt");
    add(json!({ "prompt": 7 }), "/prompt");
    add(json!({ "prompt": "é".repeat(100_001) }), "/prompt");
    add(json!({ "prompt": "p", "promt": "p" }), "/promt");
    add(json!({ "prompt": "p", "limits": { "parallel": 2 } }), "/limits/parallel");
    add(json!({ "prompt": "p", "limits": { "taskTimeoutSeconds": 0 } }), "/limits/taskTimeoutSeconds");
    add(json!({ "prompt": "p", "limits": { "maxParallel": 1.5 } }), "/limits/maxParallel");
    add(json!({ "prompt": "p", "limits": { "maxParallel": -1 } }), "/limits/maxParallel");
    add(json!({ "prompt": "p", "limits": { "maxCostUsd": 0 } }), "/limits/maxCostUsd");
    add(json!({ "prompt": "p", "model": "--dangerously-skip-permissions" }), "/model");
    add(json!({ "prompt": "p", "labels": { "a": 1 } }), "/labels/a");
    add(json!({ "prompt": "p", "labels": { "a b/c~d": "x" } }), "/labels/a b~1c~0d");
    for project in ["", "..", "a/b", "-x", "Upper", ".git", "a\u{0}b", &"x".repeat(300)] {
        add(json!({ "prompt": "p", "project": project }), "/project");
    }
    for url in [
        "-oProxyCommand=touch /tmp/x",
        "--upload-pack=touch /tmp/x",
        "ext::sh -c touch% /tmp/x",
        "fd::17/foo",
        "../x",
        "/etc",
        "file:///etc",
        "ssh://-oProxyCommand=x/y",
        "ssh://git@-x/y",
        "https://user:token@example.com/r.git",
        "http://example.com/r.git",
        "git://example.com/r.git",
        "https://example.com/a b",
        "https://example.com/r.git\n",
        "",
    ] {
        add(json!({ "prompt": "p", "repository": { "url": url } }), "/repository/url");
    }
    for branch in
        ["--upload-pack=x", "-x", "a..b", "a b", "x.lock", "a\nb", "@{-1}", "", &"b".repeat(300_000)]
    {
        let repository = json!({ "url": "https://example.com/r.git", "branch": branch });
        add(json!({ "prompt": "p", "repository": repository }), "/repository/branch");
    }
    add(json!({ "prompt": "p", "repository": {} }), "/repository/url");
    for (plan, pointer) in bad_plans() {
        bad.push((json!({ "prompt": "p", "plan": plan }), pointer));
    }
    bad
}

fn bad_plans() -> Vec<(Value, String)> {
    let task = |id: &str, target: &str| json!({ "id": id, "type": "create_file", "prompt": "p", "targets": [target] });
    let edge = |task: &str, on: &str| json!({ "task": task, "dependsOn": [on] });
    let pair = || json!([task("a", "a.txt"), task("b", "b.txt")]);
    let mut bad = Vec::new();
    let mut add = |tasks: Value, dependencies: Value, pointer: &str| {
        bad.push((json!({ "tasks": tasks, "dependencies": dependencies }), pointer.to_owned()));
    };
    add(json!([]), json!([]), "/plan/tasks");
    add(pair(), json!([edge("a", "b"), edge("b", "a")]), "/plan/dependencies");
    add(pair(), json!([edge("a", "a")]), "/plan/dependencies/0/dependsOn/0");
    add(pair(), json!([edge("a", "nobody")]), "/plan/dependencies/0/dependsOn/0");
    add(pair(), json!([edge("nobody", "a")]), "/plan/dependencies/0/task");
    add(json!([task("a", "x"), task("a", "y")]), json!([]), "/plan/tasks/1/id");
    add(json!([task("../a", "x")]), json!([]), "/plan/tasks/0/id");
    for target in ["/etc/passwd", "../x", "a/../../x", "a//b", ".git/hooks/x", "a/.GIT/config", "", "a\u{0}b"]
    {
        add(json!([task("a", target)]), json!([]), "/plan/tasks/0/targets/0");
    }
    add(json!([{ "id": "a", "type": "magic", "prompt": "p" }]), json!([]), "/plan/tasks/0/type");
    add(json!([{ "id": "a", "type": "command" }]), json!([]), "/plan/tasks/0/command");
    add(json!([{ "id": "a", "type": "agent" }]), json!([]), "/plan/tasks/0/prompt");
    add(
        json!([{ "id": "a", "type": "agent", "prompt": "p", "colour": 1 }]),
        json!([]),
        "/plan/tasks/0/colour",
    );
    add(
        json!([{ "id": "a", "type": "agent", "prompt": "p", "model": "-x" }]),
        json!([]),
        "/plan/tasks/0/model",
    );
    add(json!("tasks"), json!([]), "/plan/tasks");
    bad
}
