//! Carrying a build through: watching it, over the end of a server if need be, and telling what came of it.

use super::json;
use crate::{
    cli::{ExecutorArgs, Global, Output},
    client::{ClientError, archive, wire},
    interrupts::Interrupts,
    render::{
        display::Display,
        print,
        progress::Progress,
        summary::{Whereabouts, details, summary},
    },
    session::{Purpose, Session},
    watching::{OnInterrupt, Watch, Watched},
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

/// How often the place of a server that ended is taken.
const MOST_SUCCESSIONS: u32 = 5;

/// How a build is carried through.
pub(crate) struct Carry<'a> {
    pub(crate) global: &'a Global,
    pub(crate) executor: &'a ExecutorArgs,
    pub(crate) on_interrupt: OnInterrupt,
    pub(crate) interrupts: &'a mut Interrupts,
    pub(crate) display: &'a mut dyn Display,
}

impl Carry<'_> {
    /// Watches a build until it is over. If the server that carries it out ends, another one on the same data
    /// directory goes on, and that may be us.
    pub(crate) async fn through(
        &mut self,
        session: &mut Session,
        id: &str,
    ) -> anyhow::Result<(Watched, Progress)> {
        let mut watch = Watch::new(id);
        let mut successions = 0;
        loop {
            let ended =
                Box::pin(watch.run(&session.client, self.display, self.interrupts, self.on_interrupt)).await;
            match ended {
                Ok(watched) => {
                    self.display.close();
                    return Ok((watched, watch.progress));
                }
                Err(ClientError::Unreachable { .. })
                    if session.can_be_succeeded() && successions < MOST_SUCCESSIONS =>
                {
                    successions += 1;
                    self.display.note("the server ended; going on with the build");
                    let purpose = Purpose::Working(self.executor);
                    *session = Box::pin(Session::open(self.global, purpose)).await?;
                }
                Err(error) => {
                    self.display.close();
                    return Err(error.into());
                }
            }
        }
    }
}

/// Where the files go.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) folder: PathBuf,
    pub(crate) force: bool,
}

/// What is told of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// What came out.
    Result,
    /// Everything.
    Details,
}

/// Fetches and prints what came of a build. Only a completed build went well.
pub(crate) async fn report(
    session: &Session,
    id: &str,
    target: Option<&Target>,
    telling: Telling,
    output: Output,
) -> anyhow::Result<ExitCode> {
    let document: Value = session.client.build(id).await?;
    let build: wire::Build = serde_json::from_value(document.clone())?;
    let completed = build.status == wire::BuildStatus::Completed;
    if let Some(target) = target.filter(|_| completed) {
        fetch(session, id, target).await?;
    }
    if output == Output::Json {
        print(&json(&document)?)?;
    } else {
        let files = match completed {
            true => session.client.part::<wire::FileList>(id, "files").await?.files,
            false => Vec::new(),
        };
        let whereabouts = match (target, &session.data_dir) {
            (Some(target), _) => Whereabouts::Folder(&target.folder),
            (None, Some(data_dir)) => Whereabouts::DataDir(data_dir),
            (None, None) => Whereabouts::Server(session.client.base()),
        };
        print(&match telling {
            Telling::Result => summary(&build, &files, whereabouts),
            Telling::Details => details(&build, &files, whereabouts),
        })?;
    }
    Ok(if completed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn fetch(session: &Session, id: &str, target: &Target) -> anyhow::Result<()> {
    let file = session.client.archive(id).await?;
    let Target { folder, force } = target.clone();
    tokio::task::spawn_blocking(move || archive::unpack(file, &folder, force)).await??;
    Ok(())
}

/// Refuses a target that is in use, before anything is begun.
pub(crate) fn check(folder: &Path, force: bool) -> Result<(), super::Usage> {
    archive::check_target(folder, force).map_err(|error| super::Usage(format!("--dir: {error}")))
}
