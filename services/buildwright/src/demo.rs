//! `demo`: a sample build, with no account and no cost.

mod worker;

use crate::{
    actions::carry::{Carry, Target, Telling, check, report},
    cli::{DemoArgs, ExecutorArgs, Global, Output},
    client::wire,
    embedded::{self, Options},
    entrance::Entrance,
    interrupts::Interrupts,
    render::{display::display, print, progress::Progress, text::clean_lines, timeline::timeline},
    session::{self, Session},
    settings,
    watching::OnInterrupt,
};
use anyhow::Context as _;
use serde_json::json;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::ExitCode,
};
use tokio::process::Command;

const PROMPT: &str =
    "A to-do list for the shell: add, list and finish items, with a check that tries it out.";

/// Attempts at the same time; the sample has three tasks that can run side by side.
const SLOTS: usize = 5;

pub(crate) async fn demo(global: &Global, args: DemoArgs) -> anyhow::Result<ExitCode> {
    if let Some(folder) = &args.dir {
        check(folder, false)?;
    }
    let mut interrupts = Interrupts::listen()?;
    let data_dir = data_dir(global)?;
    eprintln!("data directory: {}", data_dir.display());
    let worker = worker::find(&args, &data_dir, &global.data_dir()).await?;
    eprintln!("executor:       {}\n", worker.about);
    let options = Options {
        data_dir: data_dir.clone(),
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        entrance: Entrance::ThisMachine,
        secret_key: None,
        slots: SLOTS,
        executor: worker.choice.clone(),
        rebuild: false,
        config: session::own_config(),
    };
    let mut session = Session::of(Box::pin(embedded::start(options)).await?)?;
    let target = Target { folder: args.dir.unwrap_or_else(|| data_dir.join("result")), force: false };
    let ended = Box::pin(run(global, &mut session, &target, &mut interrupts)).await;
    session.close().await;
    worker.close().await;
    ended
}

/// As told, or a new one that stays: what was made is there to be looked at.
fn data_dir(global: &Global) -> anyhow::Result<PathBuf> {
    match global.named_data_dir() {
        Some(data_dir) => Ok(std::path::absolute(data_dir)?),
        None => {
            let made = tempfile::Builder::new().prefix("buildwright-demo-").tempdir();
            Ok(made.context("cannot make a temporary folder; name one with --data-dir")?.keep())
        }
    }
}

async fn run(
    global: &Global,
    session: &mut Session,
    target: &Target,
    interrupts: &mut Interrupts,
) -> anyhow::Result<ExitCode> {
    eprintln!("$ buildwright build \"{PROMPT}\"");
    let order = json!({ "prompt": PROMPT, "labels": { "from": "demo" } });
    let build = session.client.submit(&order).await?;
    let mut display = display(Output::Text);
    let executor = ExecutorArgs::default();
    let mut carry = Carry {
        global,
        executor: &executor,
        on_interrupt: OnInterrupt::Cancel,
        interrupts,
        display: display.as_mut(),
    };
    let (_, progress) = carry.through(session, &build.id).await?;
    drop(display);
    // The folder may be in use after an earlier demo on the same data directory.
    let target = check(&target.folder, false).is_ok().then_some(target);
    print("")?;
    let code = report(session, &build.id, target, Telling::Result, Output::Text).await?;
    show_history(session, &build.id).await?;
    show_timeline(&progress)?;
    if code == ExitCode::SUCCESS {
        let try_it = target
            .map(|target| format!("try it:        sh {}/todo.sh add 'buy milk'\n", target.folder.display()));
        let unpaid = "nothing was paid: tokens and cost are what the scripted model pretends\n";
        print(&format!("{unpaid}{}{}", try_it.unwrap_or_default(), next()))?;
    }
    Ok(code)
}

/// What to do after the demo.
fn next() -> &'static str {
    match settings::credential() {
        Some(_) => "with Claude:   buildwright build \"…\" --dir OUT",
        None => {
            "with Claude:   buildwright doctor tells what is missing; then buildwright build \"…\" --dir OUT"
        }
    }
}

async fn show_history(session: &Session, id: &str) -> anyhow::Result<()> {
    let build: wire::Build = session.client.build(id).await?;
    let (Some(result), Some(data_dir)) = (build.result, &session.data_dir) else { return Ok(()) };
    let repository = data_dir.join("repositories").join(format!("{}.git", build.project));
    let shown = format!("git -C {} log --oneline --graph {}", repository.display(), result.branch);
    print(&format!("\n$ {shown}\n{}", history(&repository, &result.commit).await?))?;
    Ok(())
}

async fn history(repository: &Path, commit: &str) -> anyhow::Result<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(repository)
        .args(["log", "--oneline", "--graph", "--no-color", "--max-count=30", commit, "--"])
        .kill_on_drop(true)
        .output()
        .await
        .context("git could not be run")?;
    Ok(clean_lines(&String::from_utf8_lossy(&output.stdout)))
}

fn show_timeline(progress: &Progress) -> std::io::Result<()> {
    let lines = timeline(progress);
    if lines.is_empty() { Ok(()) } else { print(&format!("\n{}\n", lines.join("\n"))) }
}
