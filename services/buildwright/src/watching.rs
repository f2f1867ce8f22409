//! Following a build from event to event, and in between what its tasks are at.

use crate::{
    client::{Client, ClientError, Follow, segment, wire},
    interrupts::Interrupts,
    render::{activity::activity, display::Display, progress::Progress},
};
use domain::{
    BuildId,
    build::{BuildEvent, Work},
};
use std::collections::{BTreeMap, BTreeSet};
use tokio::{
    sync::mpsc,
    task::{AbortHandle, JoinSet},
};

/// Most tasks whose output is followed at the same time; more than any display shows.
const MOST_FOLLOWED: usize = 16;
/// How a process ends that was told to stop twice.
const QUIT: u8 = 130;

/// What an interrupt means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnInterrupt {
    /// Cancel the build, and wait until it has ended.
    Cancel,
    /// Stop watching; the build goes on.
    Leave,
}

/// How watching ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watched {
    /// The build is over.
    Ended,
    /// Nobody wants to watch any more.
    Left,
}

/// A build that is watched. Outlives a server: what was seen is not shown again.
pub(crate) struct Watch {
    id: String,
    pub(crate) progress: Progress,
    seen: Option<u64>,
    interrupted: bool,
}

impl Watch {
    pub(crate) fn new(id: &str) -> Self {
        Self { id: id.to_owned(), progress: Progress::default(), seen: None, interrupted: false }
    }

    /// Watches until the build is over.
    ///
    /// # Errors
    /// If the server refuses, or is gone; then another one may be asked to go on.
    pub(crate) async fn run(
        &mut self,
        client: &Client,
        display: &mut dyn Display,
        interrupts: &mut Interrupts,
        on_interrupt: OnInterrupt,
    ) -> Result<Watched, ClientError> {
        let path = format!("/v1/builds/{}/events", segment(&self.id));
        let mut events = client.follow(path, self.seen);
        let mut outputs = Outputs::new(client.clone(), self.id.clone());
        loop {
            tokio::select! {
                event = events.next() => match event? {
                    Some(event) => self.take(&event.data, display, &mut outputs)?,
                    None => return Ok(Watched::Ended),
                },
                Some((work, text)) = outputs.activities.recv() => display.activity(work, text),
                () = interrupts.next() => {
                    if on_interrupt == OnInterrupt::Leave {
                        return Ok(Watched::Left);
                    }
                    self.interrupt(client, display);
                }
            }
        }
    }

    fn take(
        &mut self,
        data: &str,
        display: &mut dyn Display,
        outputs: &mut Outputs,
    ) -> Result<(), ClientError> {
        let event: wire::Event = serde_json::from_str(data)
            .map_err(|error| ClientError::Answer { what: format!("an event makes no sense: {error}") })?;
        if self.seen.is_some_and(|seen| event.sequence <= seen) {
            return Ok(());
        }
        self.seen = Some(event.sequence);
        let Some(happening) = event.happening() else {
            display.note(&format!("{}: not known to this version", crate::render::text::clean(&event.kind)));
            return Ok(());
        };
        self.progress.apply(&happening, event.timestamp);
        display.event(&happening, &self.progress);
        if display.shows_activity() {
            outputs.follow_what_runs(&happening, &self.progress);
        }
        Ok(())
    }

    /// The first time, the build is cancelled. The second time, we end: whatever we run ends with us.
    fn interrupt(&mut self, client: &Client, display: &mut dyn Display) {
        if std::mem::replace(&mut self.interrupted, true) {
            display.close();
            std::process::exit(QUIT.into());
        }
        display.note("cancelling; Ctrl-C again quits at once");
        let (client, id) = (client.clone(), self.id.clone());
        tokio::spawn(async move {
            let cancelled: Result<serde_json::Value, _> = client.cancel(&id, Some("Ctrl-C")).await;
            match cancelled {
                // It ended on its own just now.
                Err(ClientError::Refused(problem)) if problem.is("build_ended") => {}
                Err(error) => tracing::warn!(%error, "the build could not be cancelled"),
                Ok(_) => {}
            }
        });
    }
}

/// The output of what is being carried out.
struct Outputs {
    client: Client,
    build: String,
    followed: BTreeMap<Work, AbortHandle>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<(Work, String)>,
    activities: mpsc::Receiver<(Work, String)>,
}

impl Outputs {
    fn new(client: Client, build: String) -> Self {
        let (sender, activities) = mpsc::channel(256);
        Self { client, build, followed: BTreeMap::new(), tasks: JoinSet::new(), sender, activities }
    }

    fn follow_what_runs(&mut self, event: &BuildEvent, progress: &Progress) {
        let running: BTreeSet<Work> = progress.running.keys().copied().collect();
        self.followed.retain(|work, task| {
            let runs = running.contains(work);
            if !runs {
                task.abort();
            }
            runs
        });
        while self.tasks.try_join_next().is_some() {}
        // Output of an attempt that began before we came is old news, save its end.
        let began = matches!(event, BuildEvent::TaskStarted(_) | BuildEvent::PlanningStarted(_));
        if !began {
            return;
        }
        for work in running {
            if self.followed.len() >= MOST_FOLLOWED {
                return;
            }
            let Some(path) = self.path(work).filter(|_| !self.followed.contains_key(&work)) else { continue };
            let output = self.client.follow(path, None);
            let task = self.tasks.spawn(tell(output, work, self.sender.clone()));
            self.followed.insert(work, task);
        }
    }

    fn path(&self, work: Work) -> Option<String> {
        match work {
            Work::Plan => Some(format!("/v1/builds/{}/plan/output", segment(&self.build))),
            Work::Task(number) => {
                let id: BuildId = self.build.parse().ok()?;
                Some(format!("/v1/tasks/{}/output", id.task(number)))
            }
            Work::Merge => None,
        }
    }
}

/// Passes on what lines tell. What nobody has time to show is left out.
async fn tell(mut output: Follow, work: Work, activities: mpsc::Sender<(Work, String)>) {
    while let Ok(Some(event)) = output.next().await {
        let line = serde_json::from_str::<wire::OutputLine>(&event.data).ok();
        if let Some(text) = line.as_ref().and_then(activity) {
            let _ = activities.try_send((work, text));
        }
    }
}

#[cfg(test)]
mod tests;
