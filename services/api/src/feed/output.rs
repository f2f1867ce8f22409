//! Lines of output as they are written.

use super::{EndOfStream, Feed, Next};
use crate::{App, errors::Fault, wire::OutputLine};
use axum::response::sse;
use domain::{
    Build, BuildId,
    build::{TaskStatus, Work},
};
use ports::Position;
use std::collections::VecDeque;
use tokio::sync::watch;

const PAGE: usize = 200;

/// The output of a task, or of planning.
pub(crate) struct OutputFeed {
    app: App,
    build: BuildId,
    work: Work,
    after: u64,
    follow: bool,
    page: VecDeque<ports::OutputLine>,
    written: watch::Receiver<u64>,
    head: watch::Receiver<Position>,
}

impl OutputFeed {
    /// Lines after a place.
    pub(crate) fn new(app: App, build: BuildId, work: Work, after: u64, follow: bool) -> Self {
        let written = app.output.follow(build, work);
        let head = app.store.head();
        Self { app, build, work, after, follow, page: VecDeque::new(), written, head }
    }

    fn send(&mut self, line: ports::OutputLine) -> Result<Next, Fault> {
        self.after = line.seq;
        let event = sse::Event::default().id(line.seq.to_string()).event("line");
        event.json_data(OutputLine::from(line)).map(Next::Event).map_err(Fault::internal)
    }
}

async fn is_over(app: &App, build: BuildId, work: Work) -> Result<bool, Fault> {
    let over = app.builds.read(build, move |loaded| writes_no_more(&loaded.build, work)).await?;
    Ok(over.unwrap_or(true))
}

/// Waits for the work to end; false if the store closes before. Other events do not make anybody read output.
async fn ended(
    app: &App,
    build: BuildId,
    work: Work,
    head: &mut watch::Receiver<Position>,
) -> Result<bool, Fault> {
    while head.changed().await.is_ok() {
        if is_over(app, build, work).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether nothing writes output of the work any more. Executors write output before they report the end.
fn writes_no_more(build: &Build, work: Work) -> bool {
    build.status.is_terminal()
        || match work {
            Work::Plan => build.plan.is_some(),
            Work::Task(number) => {
                build.tasks.get(number.index()).is_none_or(|task| TaskStatus::is_terminal(task.status))
            }
            Work::Merge => build.result.is_some(),
        }
}

impl Feed for OutputFeed {
    async fn begin(&mut self) -> Result<(), Fault> {
        self.page = self.app.output.read(self.build, self.work, self.after, PAGE).await?.into();
        Ok(())
    }

    async fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if let Some(line) = self.page.pop_front() {
                return self.send(line);
            }
            self.written.borrow_and_update();
            self.head.borrow_and_update();
            // Asked before the lines are read, so that none written in between is missed.
            let over = is_over(&self.app, self.build, self.work).await?;
            self.page = self.app.output.read(self.build, self.work, self.after, PAGE).await?.into();
            if !self.page.is_empty() {
                continue;
            }
            if over {
                return Ok(Next::End(EndOfStream::ENDED));
            }
            if !self.follow {
                return Ok(Next::End(EndOfStream::HEAD));
            }
            tokio::select! {
                () = self.app.stop.cancelled() => return Ok(Next::Stop),
                changed = self.written.changed() => if changed.is_err() { return Ok(Next::Stop) },
                ended = ended(&self.app, self.build, self.work, &mut self.head) => if !ended? {
                    return Ok(Next::Stop);
                },
            }
        }
    }
}
