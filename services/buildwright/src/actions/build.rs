//! `build` and `watch`.

use super::{
    carry::{Carry, Target, Telling, check, report},
    order::order,
};
use crate::{
    cli::{BuildArgs, Global, Output, WatchArgs},
    client::wire,
    interrupts::Interrupts,
    render::{display::display, text::clean},
    session::{Purpose, Session},
    watching::{OnInterrupt, Watched},
};
use std::process::ExitCode;

pub(crate) async fn build(global: &Global, args: BuildArgs) -> anyhow::Result<ExitCode> {
    let order = order(&args)?;
    let target = args.dir.clone().map(|folder| Target { folder, force: args.force });
    if let Some(target) = &target {
        check(&target.folder, target.force)?;
    }
    let mut interrupts = Interrupts::listen()?;
    let mut session = Box::pin(Session::open(global, Purpose::Working(&args.executor))).await?;
    let build = match session.client.submit(&order).await {
        Ok(build) => build,
        Err(error) => {
            session.close().await;
            return Err(error.into());
        }
    };
    let mut display = display(args.output);
    display.note(&clean(&build.id));
    let mut carry = Carry {
        global,
        executor: &args.executor,
        on_interrupt: OnInterrupt::Cancel,
        interrupts: &mut interrupts,
        display: display.as_mut(),
    };
    let ended = match carry.through(&mut session, &build.id).await {
        Ok(_) => report(&session, &build.id, target.as_ref(), Telling::Result, args.output).await,
        Err(error) => Err(error),
    };
    // Closing waits for what is being stopped; whoever asks again does not want to.
    tokio::select! {
        () = session.close() => ended,
        () = interrupts.next() => Ok(ExitCode::from(130)),
    }
}

pub(crate) async fn watch(global: &Global, args: WatchArgs) -> anyhow::Result<ExitCode> {
    let mut interrupts = Interrupts::listen()?;
    let mut session = Box::pin(Session::open(global, Purpose::Working(&args.executor))).await?;
    let ended = watch_in(&mut session, global, &args, &mut interrupts).await;
    session.close().await;
    ended
}

async fn watch_in(
    session: &mut Session,
    global: &Global,
    args: &WatchArgs,
    interrupts: &mut Interrupts,
) -> anyhow::Result<ExitCode> {
    let build: wire::Build = session.client.build(&args.id).await?;
    let mut display = display(if build.status.is_over() { Output::Json } else { args.output });
    let mut carry = Carry {
        global,
        executor: &args.executor,
        on_interrupt: OnInterrupt::Leave,
        interrupts,
        display: display.as_mut(),
    };
    match carry.through(session, &args.id).await? {
        (Watched::Ended, _) => report(session, &args.id, None, Telling::Result, args.output).await,
        (Watched::Left, _) => {
            eprintln!("{}", leaving(session));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn leaving(session: &Session) -> &'static str {
    match session.is_own() {
        true => "the build stands still now; `buildwright up` or `watch` goes on with it",
        false => "the build goes on",
    }
}
