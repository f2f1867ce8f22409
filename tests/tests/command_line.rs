//! The command line, from outside.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints what it measured"
)]

use buildwright_blackbox::{
    CLEARED_WITHIN, CommandLine, Hands, Launch, Plan, Ran, ScriptedModel, Server, Task, bash, mentioning,
    say, scripted, until, within,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use std::{
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::ChildStderr,
};

const LIMIT: Duration = Duration::from_secs(60);

fn pid(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap())
}

/// Waits for the end of a command that was started.
async fn ended(child: Child) -> Ran {
    Ran::of(&tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap())
}

/// Reads until the first Ctrl-C is acknowledged.
async fn heard(said: &mut Lines<BufReader<ChildStderr>>) {
    while let Some(line) = said.next_line().await.unwrap() {
        if line.contains("Ctrl-C again quits at once") {
            return;
        }
    }
    panic!("it ended");
}

/// A plan with one command that never ends by itself, in a file.
fn endless(shell: &CommandLine, mark: &str) -> String {
    let path = shell.home("plan.json");
    let command = format!("setsid sleep {mark}1 & sleep {mark}2");
    fs::write(&path, Plan::of([Task::command("wait", &command)]).json().to_string()).unwrap();
    path.display().to_string()
}

fn mark(test: u8) -> String {
    format!("4{test}{:07}", std::process::id())
}

async fn sleeping(mark: &str) {
    let sleeps = || mentioning(mark).iter().filter(|process| process.command.starts_with("sleep ")).count();
    until(LIMIT, "the sleeps have begun", || async { (sleeps() == 2).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn build_without_a_server_builds_with_claude_and_leaves_the_files() {
    let model = ScriptedModel::start().await;
    let shell = CommandLine::new(Hands::Claude(&model));
    let ran = shell.run(&["build", "A to-do list", "--dir", "out/todo", "--output", "json"]).await.ok();
    let build = ran.json();
    assert_eq!((&build["status"], &ran.err), (&json!("completed"), &String::new()));
    let check = Command::new("sh").arg("check.sh").current_dir(shell.home("out/todo")).output().unwrap();
    assert!(check.status.success(), "{check:?}");
    assert!(!shell.home("out/todo/.git").exists());
    assert!(shell.processes().is_empty(), "{:?}", shell.processes());
    assert!(!shell.home("data/server.json").exists());

    // What was built can be looked at, by people and by machines.
    let id = build["id"].as_str().unwrap();
    let listed = shell.run(&["builds"]).await.ok().out;
    assert!(listed.contains(id) && listed.contains("completed"), "{listed}");
    assert_eq!(shell.run(&["builds", "-o", "json"]).await.ok().json()["builds"][0]["id"], id);
    let shown = shell.run(&["show", id]).await.ok().out;
    for part in [id, "completed", "todo.sh", "store.sh", "sonnet", "tokens", "$0."] {
        assert!(shown.contains(part), "{part} in\n{shown}");
    }
    let tasks = shell.run(&["show", id, "--tasks", "-o", "json"]).await.ok().json();
    let task = tasks["tasks"][0]["id"].as_str().unwrap();
    assert!(shell.run(&["show", id, "--tasks"]).await.ok().out.contains(task));
    let logs = shell.run(&["logs", task]).await.ok().out;
    assert!(logs.contains("The items go into a text file") && logs.contains("lib/store.sh"), "{logs}");
    let raw = shell.run(&["logs", task, "--raw"]).await.ok().out;
    assert!(raw.contains(r#""type":"result""#), "{raw}");
    let planning = shell.run(&["logs", id]).await.ok().out;
    assert!(planning.contains("Two independent modules"), "{planning}");
    let events = shell.run(&["show", id, "--events"]).await.ok().out;
    assert!(events.contains("build_submitted") && events.contains("build_completed"), "{events}");
    let diff = shell.run(&["show", id, "--diff"]).await.ok().out;
    assert!(diff.contains("+++ b/todo.sh"), "{diff}");

    // The plan can be used again, and a finished build can be watched.
    let plan = shell.home("again.json");
    fs::write(&plan, shell.run(&["show", id, "--plan"]).await.ok().out).unwrap();
    let again = shell.run(&["build", "--plan", plan.to_str().unwrap(), "-o", "json"]).await.ok().json();
    assert_eq!(again["tasks"]["completed"], build["tasks"]["completed"]);
    assert_eq!(shell.run(&["watch", id, "-o", "json"]).await.ok().json()["id"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_in_plain_lines_goes_to_standard_error_and_the_result_to_standard_output() {
    let shell = CommandLine::new(Hands::Scripted);
    let ran = shell.run(&["build", "A to-do list", "--dir", "out"]).await.ok();
    for part in ["store", "format", "document"] {
        assert!(ran.err.contains(part), "{part} in\n{}", ran.err);
    }
    for part in ["completed", "todo.sh", "format.sh"] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
    assert!(shell.home("out/todo.sh").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_a_bar_and_the_same_result() {
    let shell = CommandLine::new(Hands::Scripted);
    let direct = shell.command(&["build", "A to-do list", "--dir", "out"]);
    let words: Vec<_> = [direct.get_program()].into_iter().chain(direct.get_args()).collect();
    let line = words.iter().map(|word| format!("'{}'", word.to_string_lossy())).collect::<Vec<_>>().join(" ");
    let mut in_terminal = Command::new("script");
    in_terminal.args(["-qec", &line, "/dev/null"]).current_dir(shell.home("")).env("TERM", "xterm");
    for (name, value) in direct.get_envs() {
        match value {
            Some(value) => in_terminal.env(name, value),
            None => in_terminal.env_remove(name),
        };
    }
    let output = match in_terminal.output() {
        Ok(output) => output,
        Err(error) => return println!("SKIPPED, no terminal: {error}"),
    };
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}");
    assert!(shown.contains("\u{1b}[") && shown.contains("tasks"), "{shown:?}");
    assert!(shown.contains("completed") && shell.home("out/todo.sh").exists(), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_fails_exits_with_1_and_says_why() {
    let shell = CommandLine::new(Hands::Scripted);
    let plan = shell.home("plan.json");
    fs::write(&plan, Plan::of([Task::command("test", "echo it rains; exit 3")]).json().to_string()).unwrap();
    let plan = plan.to_str().unwrap();
    let ran = shell.run(&["build", "--plan", plan, "--dir", "out"]).await;
    assert_eq!(ran.code, 1, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("exited with 3: it rains"), "{}", ran.out);
    assert!(!shell.home("out").exists());
    let ran = shell.run(&["build", "--plan", plan, "-o", "json"]).await;
    assert_eq!((ran.code, &ran.json()["failure"]["class"]), (1, &json!("command_failed")));
    let id = ran.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(shell.run(&["watch", &id]).await.code, 1);
    assert_eq!(shell.run(&["show", &id]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_valid_exits_with_2_and_leaves_nothing() {
    let shell = CommandLine::new(Hands::Scripted);
    fs::create_dir(shell.home("full")).unwrap();
    fs::write(shell.home("full/file"), "").unwrap();
    fs::write(shell.home("latin1"), b"caf\xe9").unwrap();
    fs::write(shell.home("cycle.json"), cycle().to_string()).unwrap();
    for (args, named) in [
        (vec!["build"], "PROMPT"),
        (vec!["build", " "], "/prompt"),
        (vec!["build", "p", "--dir", "full"], "full"),
        (vec!["build", "--file", "latin1"], "latin1"),
        (vec!["build", "--file", "nowhere"], "nowhere"),
        (vec!["build", "--plan", "cycle.json"], "cycle"),
        (vec!["build", "p", "--repo", "ext::sh -c x"], "/repository/url"),
        (vec!["build", "p", "--repo", "-oProxyCommand=x"], "/repository/url"),
        (vec!["build", "p", "--repo", ".", "--branch", "--upload-pack=x"], "/repository/branch"),
        (vec!["build", "p", "--max-parallel", "0"], "/limits/maxParallel"),
        (vec!["build", "p", "--max-cost", "nan"], "--max-cost"),
        (vec!["build", "p", "--dir", "/proc/nowhere/out"], "/proc/nowhere/out"),
        (vec!["biuld"], "build"),
    ] {
        let ran = shell.run(&args).await;
        assert_eq!(ran.code, 2, "{args:?}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(named), "{named} in {}", ran.err);
        assert_eq!(ran.out, "");
    }
    let list = shell.run(&["builds", "-o", "json"]).await;
    assert!(list.code == 1 || list.json()["builds"] == json!([]), "{list:?}");
    assert_eq!(shell.run(&["builds", "--server", "http://127.0.0.1:9"]).await.code, 3);
}

fn cycle() -> Value {
    let tasks = [Task::command("a", "true").after(&["b"]), Task::command("b", "true").after(&["a"])];
    Plan::of(tasks).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_cancels_the_build_and_leaves_nothing_running() {
    let shell = CommandLine::new(Hands::Scripted);
    let mark = mark(1);
    let running = shell.command(&["build", "--plan", &endless(&shell, &mark), "-o", "json"]).spawn().unwrap();
    sleeping(&mark).await;
    let asked = Instant::now();
    kill(pid(&running), Signal::SIGINT).unwrap();
    let ran = ended(running).await;
    println!("Ctrl-C ended it after {:?}", asked.elapsed());
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!((ran.code, &ran.json()["status"]), (1, &json!("cancelled")), "{}", ran.err);
    assert!(mentioning(&mark).is_empty(), "{:?}", mentioning(&mark));
    assert!(shell.processes().is_empty(), "{:?}", shell.processes());
    let left: Vec<_> = fs::read_dir(shell.home("data/workspaces")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(
        shell.run(&["builds", "-s", "cancelled", "-o", "json"]).await.ok().json()["builds"][0]["tasks"]["total"],
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_ctrl_c_quits_at_once_and_leaves_nothing_running() {
    // Given a command that is deaf to the first
    let shell = CommandLine::new(Hands::Scripted);
    let mark = mark(2);
    let plan = shell.home("plan.json");
    let deaf = format!("trap '' INT TERM; setsid sleep {mark}1 & sleep {mark}2; sleep {mark}3");
    fs::write(&plan, Plan::of([Task::command("deaf", &deaf)]).json().to_string()).unwrap();
    let mut running = shell.command(&["build", "--plan", plan.to_str().unwrap()]).spawn().unwrap();
    let said = ChildStderr::from_std(running.stderr.take().unwrap()).unwrap();
    let mut said = BufReader::new(said).lines();
    sleeping(&mark).await;
    kill(pid(&running), Signal::SIGINT).unwrap();
    // Two that come at once are one.
    within(LIMIT, "the first Ctrl-C is heard", heard(&mut said)).await;
    let asked = Instant::now();
    let _ = kill(pid(&running), Signal::SIGINT);
    let ran = ended(running).await;
    println!("the second Ctrl-C ended it after {:?} with {}", asked.elapsed(), ran.code);
    // With the first alone it would end by itself, and with 1.
    assert_eq!(ran.code, 130);
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    until(CLEARED_WITHIN, "nothing runs", || async { shell.processes().is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_use_the_server_that_runs() {
    let model = ScriptedModel::start().await;
    let server = Server::start(Launch::with(Hands::Claude(&model))).await;
    let shell = CommandLine::new(Hands::Claude(&model));
    let data_dir = server.data_dir().display().to_string();
    let on_server = |args: &[&str]| {
        args.iter().copied().chain(["--data-dir", &data_dir]).map(str::to_owned).collect::<Vec<_>>()
    };
    let run = async |args: &[&str]| {
        let args = on_server(args);
        shell.run(&args.iter().map(String::as_str).collect::<Vec<_>>()).await
    };
    let built = run(&["build", "A to-do list", "-o", "json", "--dir", "out"]).await.ok().json();
    assert_eq!(server.get("/v1/builds").await.ok()["builds"][0]["id"], built["id"]);
    assert!(shell.home("out/check.sh").exists());

    // `cancel`, and Ctrl-C of somebody who watches: the build goes on.
    let mark = mark(3);
    let plan = endless(&shell, &mark);
    let id = {
        let plan: Value = serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap();
        server.submit(&json!({ "prompt": "p", "plan": plan })).await.id
    };
    sleeping(&mark).await;
    let watching = on_server(&["watch", &id]);
    let watching = shell.command(&watching.iter().map(String::as_str).collect::<Vec<_>>()).spawn().unwrap();
    // It has asked for the build once it has a connection; before that, Ctrl-C is just as good.
    until(LIMIT, "it runs", || async { (!shell.processes().is_empty()).then_some(()) }).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    kill(pid(&watching), Signal::SIGINT).unwrap();
    ended(watching).await;
    assert_eq!(server.get(&format!("/v1/builds/{id}")).await.ok()["status"], "executing");
    let cancelled = run(&["cancel", &id, "--reason", "changed my mind"]).await.ok();
    assert!(cancelled.out.contains("cancelled"), "{}", cancelled.out);
    server.wait_until_nothing_works(CLEARED_WITHIN).await;
    // Once more is safe; what is completed cannot be cancelled.
    assert_eq!(run(&["cancel", &id]).await.code, 0);
    assert_eq!(run(&["cancel", built["id"].as_str().unwrap()]).await.code, 1);
    assert_ne!(run(&["show", "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_build_takes_over_when_the_server_dies() {
    let mut server = Server::start(Launch::with(Hands::Scripted)).await;
    let shell = CommandLine::new(Hands::Scripted);
    let go = server.beside("go");
    let plan = shell.home("plan.json");
    let wait = format!("until [ -e {} ]; do sleep 0.05; done", go.display());
    fs::write(&plan, Plan::of([Task::command("wait", &wait)]).json().to_string()).unwrap();
    let data_dir = server.data_dir().display().to_string();
    let args = ["build", "--plan", plan.to_str().unwrap(), "--data-dir", &data_dir, "-o", "json"];
    let running = shell.command(&args).spawn().unwrap();
    until(LIMIT, "the build has begun", || async {
        (server.all_events().await.count("task_started") == 1).then_some(())
    })
    .await;
    server.cut_power();
    fs::write(&go, "").unwrap();
    let ran = ended(running).await.ok();
    assert_eq!(ran.json()["status"], "completed");
    server.restart().await;
    assert_eq!(server.get("/v1/builds").await.ok()["builds"][0]["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_runs_through_with_the_real_cli() {
    let model = ScriptedModel::start().await;
    let shell = CommandLine::new(Hands::Claude(&model));
    let ran = shell.run(&["demo"]).await.ok();
    assert!(ran.err.contains("claude 2.1.197"), "{}", ran.err);
    for part in
        ["completed", "todo.sh", "README.md", "git -C", "store: Keep the items", "up to", "tokens", "$0."]
    {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
    assert_eq!(model.requests(), 0, "the demo asked a model that is not its own");
    assert!(shell.processes().is_empty(), "{:?}", shell.processes());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_cli_and_without_npm_the_demo_says_so_and_runs_all_the_same() {
    let shell = CommandLine::new(Hands::Scripted);
    let tools = shell.home("bin");
    fs::create_dir(&tools).unwrap();
    for folder in ["/bin", "/usr/bin"] {
        for tool in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            if !["npm", "npx", "node", "claude"].iter().any(|missing| tool.file_name() == *missing) {
                // What is in both is linked once.
                let _ = std::os::unix::fs::symlink(tool.path(), tools.join(tool.file_name()));
            }
        }
    }
    let mut command = shell.command(&["demo"]);
    command.env("PATH", &tools).env_remove("BUILDWRIGHT_EXECUTOR");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let ran = Ran::of(&output).ok();
    assert!(ran.err.contains("scripted executor") && ran.err.contains("npm"), "{}", ran.err);
    assert!(ran.out.contains("completed"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_names_what_is_missing_and_the_command_that_fixes_it() {
    let model = ScriptedModel::start().await;
    let healthy = CommandLine::new(Hands::Claude(&model));
    let ran = healthy.run(&["doctor", "--listen", "127.0.0.1:0"]).await;
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(!healthy.home("data").exists(), "doctor changed what it looks at");

    let ill = CommandLine::new(Hands::Scripted);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let args = ["doctor", "--claude", "/nowhere/claude", "--listen", &address];
    let ran = ill.run(&args).await;
    assert_eq!(ran.code, 1);
    for part in ["claude", "npm install -g @anthropic-ai/claude-code", "ANTHROPIC_API_KEY", &address] {
        assert!(ran.out.contains(part), "{part} in\n{}", ran.out);
    }
    let args = args.into_iter().chain(["-o", "json"]).collect::<Vec<_>>();
    let found = ill.run(&args).await.json();
    assert!(found.to_string().contains("npm install"), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_agent_says_does_not_drive_the_terminal_of_who_reads_it() {
    let shell = CommandLine::new(Hands::Scripted);
    let escape = "printf '\\033]0;pwned\\007\\033[2J\\033[31mred\\r'; touch \"$(printf 'a\\033[31mb')\"";
    let plan = Plan::of([Task::agent("a", &[bash(escape), say("\u{1b}[2J done \u{7}", 0)])]);
    fs::write(shell.home("plan.json"), plan.json().to_string()).unwrap();
    // Each of these looks for control characters in what was written.
    let id = shell.run(&["build", "--plan", "plan.json", "-o", "json"]).await.ok().json()["id"].clone();
    let id = id.as_str().unwrap();
    for args in [vec!["show", id], vec!["show", id, "--tasks"], vec!["show", id, "--events"], vec!["builds"]]
    {
        let _ = shell.run(&args).await.ok();
    }
    let logs = shell.run(&["logs", &format!("{}_0", id.replace("bld_", "tsk_"))]).await.ok();
    assert!(logs.out.contains("red"), "{}", logs.out);
    let _ = shell.run(&["build", "--plan", "plan.json"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scripted_model_can_be_served_to_others() {
    let shell = CommandLine::new(Hands::Scripted);
    let script = shell.home("script.json");
    let rule = json!({ "name": "hello", "reply": [{ "text": "Hello from the script." }] });
    fs::write(&script, json!({ "rules": [rule] }).to_string()).unwrap();
    let args = ["scripted-model", "--script", script.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let mut serving = shell.command(&args).spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(serving.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let base = line.split_whitespace().find_map(|word| word.strip_prefix("ANTHROPIC_BASE_URL=")).unwrap();
    let mut claude = Command::new(buildwright_blackbox::claude());
    claude.args(["-p", "--model", "haiku", "--", "hi"]).env("ANTHROPIC_BASE_URL", base);
    claude
        .env("ANTHROPIC_API_KEY", "any")
        .env("HOME", shell.home(""))
        .env("CLAUDE_CONFIG_DIR", shell.home("c"));
    claude.env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1").stdin(std::process::Stdio::null());
    let said = claude.current_dir(shell.home("")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "Hello from the script.", "{said:?}");
    kill(pid(&serving), Signal::SIGTERM).unwrap();
    assert!(ended(serving).await.ok().err.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_can_come_from_a_file_and_start_from_a_repository() {
    let shell = CommandLine::new(Hands::Scripted);
    let repository = shell.home("repository");
    let make = "git init -qb trunk repository && cd repository && echo one > one.txt && git add . && \
                git -c user.name=A -c user.email=a@example.com commit -qm first";
    assert!(Command::new("sh").args(["-c", make]).current_dir(shell.home("")).status().unwrap().success());
    let plan = Plan::of([Task::agent("a", &[bash("cp one.txt two.txt"), say("Done.", 0)])]);
    fs::write(shell.home("PROMPT.md"), scripted(&[json!({ "structured": plan.json() })])).unwrap();
    let args = [
        "build",
        "--file",
        "PROMPT.md",
        "--repo",
        "repository",
        "--branch",
        "trunk",
        "-d",
        "out",
        "-o",
        "json",
    ];
    let build = shell.run(&args).await.ok().json();
    assert_eq!(build["result"]["filesChanged"], 1, "{build:#}");
    assert_eq!(fs::read_to_string(shell.home("out/two.txt")).unwrap(), "one\n");
    assert!(!repository.join("two.txt").exists(), "somebody's own repository was changed");
}
