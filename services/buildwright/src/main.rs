//! The binary: composition root and command line.

mod actions;
mod adapters;
mod bench;
mod cli;
mod client;
mod config;
mod couriers;
mod data_dir;
mod demo;
mod doctor;
mod embedded;
mod entrance;
mod fleet;
mod hands;
mod hiring;
mod interrupts;
mod programs;
mod render;
mod sealing;
mod services;
mod session;
mod settings;
mod watching;

use clap::Parser as _;
use cli::{Cli, Command, Global};
use client::ClientError;
use std::{
    io::{self, IsTerminal as _},
    process::ExitCode,
};
use tracing_subscriber::EnvFilter;

/// The request or the command line is not valid; what clap uses, too.
const USAGE: u8 = 2;
/// No server.
const UNREACHABLE: u8 = 3;

fn main() -> ExitCode {
    // Before anything else: the supervising process has no use for arguments, threads or a runtime.
    if std::env::args_os().nth(1).is_some_and(|first| first == "supervise") {
        return supervisor::main();
    }
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(error) => explain(&error),
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    let usual = if cli.command.is_a_service() { "info" } else { "warn" };
    let filter = cli.global.log.as_deref().unwrap_or(usual);
    let filter = EnvFilter::try_new(filter).map_err(|error| actions::Usage(format!("--log: {error}")))?;
    let colours = io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| render::logging::LogWriter)
        .with_ansi(colours)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(dispatch(cli.global, cli.command))
}

async fn dispatch(global: Global, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(args) => Box::pin(actions::up::up(&global, args)).await,
        Command::Api(args) => Box::pin(actions::role::api(&global, args)).await,
        Command::Driver(args) => Box::pin(actions::role::driver(&global, args)).await,
        Command::Projector(args) => Box::pin(actions::role::projector(&global, args)).await,
        Command::Executor(args) => Box::pin(actions::role::executor(&global, *args)).await,
        Command::Build(args) => Box::pin(actions::build::build(&global, *args)).await,
        Command::Watch(args) => Box::pin(actions::build::watch(&global, args)).await,
        Command::Builds(args) => Box::pin(actions::look::builds(&global, args)).await,
        Command::Show(args) => Box::pin(actions::look::show(&global, args)).await,
        Command::Cancel(args) => Box::pin(actions::look::cancel(&global, args)).await,
        Command::Logs(args) => Box::pin(actions::logs::logs(&global, args)).await,
        Command::Demo(args) => Box::pin(demo::demo(&global, args)).await,
        Command::Doctor(args) => Box::pin(doctor::doctor(&global, args)).await,
        Command::Bench(args) => Box::pin(actions::bench::bench(args)).await,
        Command::ScriptedModel(args) => Box::pin(actions::scripted_model::serve(&global, args)).await,
        Command::Keys(args) => Box::pin(actions::keys::keys(&global, args)).await,
        Command::Openapi => {
            // As a value its names are in order, as in the committed document.
            render::print(&actions::json(&api::openapi())?)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Says what went wrong, and how a script can tell.
fn explain(error: &anyhow::Error) -> ExitCode {
    let broken_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(broken_pipe) {
        // Whoever read our output has enough.
        return ExitCode::FAILURE;
    }
    eprintln!("error: {error:#}");
    code(error)
}

fn code(error: &anyhow::Error) -> ExitCode {
    if error.is::<actions::Usage>() {
        return ExitCode::from(USAGE);
    }
    match error.downcast_ref::<ClientError>() {
        Some(ClientError::Unreachable { .. }) => {
            eprintln!(
                "  is it running? `buildwright up` starts a server; without --server one is found or started"
            );
            ExitCode::from(UNREACHABLE)
        }
        Some(ClientError::Address(_) | ClientError::Key) => ExitCode::from(USAGE),
        Some(ClientError::Refused(problem)) if matches!(problem.status, 400 | 413 | 415 | 422) => {
            ExitCode::from(USAGE)
        }
        _ => ExitCode::FAILURE,
    }
}
