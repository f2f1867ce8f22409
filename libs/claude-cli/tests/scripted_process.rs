//! Processes that misbehave in ways the real CLI does only now and then: shell scripts in its place.

mod support;

use std::time::{Duration, Instant};

use buildwright_claude_cli::{
    Credential, Ending, Event, InstallError, PINNED_VERSION, find, install_pinned, version,
};
use supervisor::Exit;
use support::{Rig, write_script};

const DONE: &str = r#"echo '{"type":"result","subtype":"success","is_error":false,"result":"done"}'"#;

#[tokio::test]
async fn a_process_stuck_after_its_result_is_killed_and_the_result_counts() {
    let mut rig = Rig::script(&format!("{DONE}; setsid sleep 300 & sleep 300"));
    rig.cli.linger = Duration::from_millis(200);
    let (report, _) = rig.run(&rig.request("http://unused")).await;
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(report.exit, Some(Exit::Signal(9)));
    assert_eq!(rig.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_turn_after_a_result_is_not_cut_short() {
    let mut rig = Rig::script(&format!(
        r#"{DONE}; echo '{{"type":"system","subtype":"init"}}'; sleep 1; echo '{{"type":"result","subtype":"error_max_turns"}}'"#
    ));
    rig.cli.linger = Duration::from_millis(200);
    let (report, _) = rig.run(&rig.request("http://unused")).await;
    assert_eq!(report.ending, Ending::MaxTurns);
    assert_eq!(report.exit, Some(Exit::Code(0)));
}

#[tokio::test]
async fn a_process_deaf_to_the_interrupt_is_killed_after_its_grace() {
    let rig = Rig::script("trap '' INT; while :; do sleep 300; done");
    let mut request = rig.request("http://unused");
    request.timeout = Duration::from_millis(300);
    request.grace = Duration::from_millis(300);
    let since = Instant::now();
    let (report, _) = rig.run(&request).await;
    assert_eq!(report.ending, Ending::TimedOut);
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(rig.alive(), Vec::<String>::new());
}

#[tokio::test]
async fn a_dropped_run_leaves_no_process_behind() {
    let rig = Rig::script("setsid sleep 300 & sleep 300");
    let request = rig.request("http://unused");
    {
        let run = rig.run(&request);
        tokio::pin!(run);
        tokio::select! {
            _ = &mut run => panic!("it ended"),
            () = rig.sees("sleep 300") => {}
        }
    }
    let since = Instant::now();
    while !rig.alive().is_empty() {
        assert!(since.elapsed() < Duration::from_secs(2), "{:#?}", rig.alive());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn without_a_result_the_exit_and_the_last_words_are_reported() {
    let rig = Rig::script("echo 'no such flag' >&2; exit 1");
    let (report, _) = rig.run(&rig.request("http://unused")).await;
    let stderr = "no such flag\n".to_owned();
    assert_eq!(report.ending, Ending::NoResult { exit: Some(1), stderr });
    assert_eq!(report.session_id, "00000000-0000-4000-8000-00000000feed");
}

#[tokio::test]
async fn a_crash_is_told_from_an_exit() {
    let (report, _) = {
        let rig = Rig::script("kill -SEGV $$");
        rig.run(&rig.request("http://unused")).await
    };
    assert_eq!(report.ending, Ending::Crashed { signal: 11 });
}

#[tokio::test]
async fn much_noise_is_bounded_and_never_fatal() {
    let rig_script = format!(
        r"yes x | head -c 3000000 >&2; echo 'not json'; printf '\xff\xfe\n'; yes y | tr -d '\n' | head -c 3000000; echo; {DONE}"
    );
    let mut rig = Rig::script(&rig_script);
    rig.cli.line_cap = 1_000_000;
    let (report, lines) = rig.run(&rig.request("http://unused")).await;
    assert_eq!(report.ending, Ending::Completed);
    assert_eq!(report.stderr_tail.len(), 8192);
    let [noise, bytes, long, _] = &lines[..] else { panic!("{} lines", lines.len()) };
    assert_eq!((&noise.event, &noise.raw[..]), (&Event::Unparsed, "not json"));
    assert_eq!((&bytes.event, &bytes.raw[..]), (&Event::Unparsed, "\u{fffd}\u{fffd}"));
    assert_eq!(long.event, Event::TooLong { bytes: 3_000_000 });
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let rig = Rig::new("/no/such/claude".into());
    let why = async |request| match rig.run(&request).await.0.ending {
        Ending::CouldNotStart { message } => message,
        other => panic!("{other:?}"),
    };
    let request = || rig.request("http://unused");
    assert_eq!(
        why(request()).await,
        "failed running /no/such/claude: No such file or directory (os error 2)"
    );
    let mut nowhere = request();
    nowhere.cwd = "/no/such/place".into();
    assert_eq!(why(nowhere).await, "failed entering /no/such/place: No such file or directory (os error 2)");
    let mut blank = request();
    blank.prompt = " \n".into();
    assert_eq!(why(blank).await, "the prompt is blank");
    let mut stranger = request();
    stranger.credential = Credential::Login { config_dir: "/no/such/login".into() };
    assert!(why(stranger).await.contains("/no/such/login"));
}

#[tokio::test]
async fn the_cli_is_found_where_it_was_said_to_be_else_on_the_path_else_where_we_install_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    for name in ["said", "bin/claude", "tools/node_modules/.bin/claude"] {
        std::fs::create_dir_all(place(name).parent().unwrap()).unwrap();
        write_script(&place(name), "echo '2.1.197 (Claude Code)'");
    }
    let path = std::env::join_paths([place("empty"), place("bin")]).unwrap();
    let find = |said: Option<&str>, path: &std::ffi::OsStr, tools: &str| {
        find(said.map(place).as_deref(), path, &place(tools))
    };
    assert_eq!(find(Some("said"), &path, "tools"), Some(place("said")));
    assert_eq!(find(Some("missing"), &path, "tools"), None, "no other one than what was asked for");
    assert_eq!(find(None, &path, "tools"), Some(place("bin/claude")));
    assert_eq!(find(None, "".as_ref(), "tools"), Some(place("tools/node_modules/.bin/claude")));
    assert_eq!(find(None, "".as_ref(), "empty"), None);
}

#[tokio::test]
async fn a_version_is_taken_from_the_claude_cli_only() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("program");
    write_script(&program, "echo '9.9.9 (Claude Code)'");
    assert_eq!(version(&program).await.unwrap(), "9.9.9");
    write_script(&program, "echo 'cowsay 1.0'");
    assert!(matches!(version(&program).await, Err(InstallError::NotClaude { .. })));
    write_script(&program, "echo broken >&2; exit 1");
    let failed = version(&program).await.unwrap_err();
    assert!(failed.to_string().ends_with("program failed: broken"), "{failed}");
}

#[tokio::test]
async fn many_who_install_at_once_install_once() {
    let dir = tempfile::tempdir().unwrap();
    let npm = dir.path().join("npm");
    write_script(
        &npm,
        r#"echo "$@" >> ../calls; sleep 0.2; mkdir -p node_modules/.bin
           printf '#!/bin/sh\necho "2.1.197 (Claude Code)"' > node_modules/.bin/claude; chmod +x node_modules/.bin/claude"#,
    );
    let tools = dir.path().join("tools");
    let install = || install_pinned(&tools, &npm);
    let (one, two, three) = tokio::join!(install(), install(), install());
    let binary = tools.join("node_modules/.bin/claude");
    assert_eq!([one.unwrap(), two.unwrap(), three.unwrap()], [binary.clone(), binary.clone(), binary]);
    let calls = std::fs::read_to_string(dir.path().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.trim().ends_with(&format!("@anthropic-ai/claude-code@{PINNED_VERSION}")), "{calls}");
}

#[tokio::test]
async fn a_failed_installation_says_what_npm_said() {
    let dir = tempfile::tempdir().unwrap();
    let npm = dir.path().join("npm");
    write_script(&npm, "echo 'npm error network' >&2; exit 1");
    let failed = install_pinned(&dir.path().join("tools"), &npm).await.unwrap_err();
    assert!(failed.to_string().ends_with("npm failed: npm error network"), "{failed}");
    let absent = install_pinned(&dir.path().join("tools"), &dir.path().join("none")).await;
    assert!(matches!(absent, Err(InstallError::Run { .. })), "{absent:?}");
}
