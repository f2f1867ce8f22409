//! Lines of output as they are written.

use super::{
    EndReason, Feed, Live, News, Next, Relay, Subscription, Topic,
    lines::{Line, Written},
};
use crate::{App, errors::Fault};
use commands::Loaded;
use domain::{
    Build, BuildId,
    build::{TaskStatus, Work},
};
use ports::Version;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::watch;

/// The output of a task, or of planning.
pub(crate) struct OutputFeed {
    app: App,
    build: BuildId,
    work: Work,
    after: u64,
    page: VecDeque<Line>,
    written: Arc<Written>,
    last: watch::Receiver<u64>,
    relay: Arc<Relay>,
    /// Tells when the work ends; `None` if nobody waits for that.
    news: Option<Subscription>,
    over: bool,
    /// Whether there may be lines that nobody told of.
    unsure: bool,
}

/// Why there can be lines to read.
enum Woken {
    Written,
    /// Because there are no more after these.
    Over,
    Closed,
}

impl OutputFeed {
    /// Lines after a place.
    pub(crate) fn new(app: App, live: &Live, build: BuildId, work: Work, after: u64, follow: bool) -> Self {
        let relay = Arc::clone(live.relay());
        let news = follow.then(|| relay.subscribe(Topic::Build(build)));
        let written = live.lines().of(build, work);
        let last = written.last();
        Self {
            app,
            build,
            work,
            after,
            page: VecDeque::new(),
            written,
            last,
            relay,
            news,
            over: false,
            unsure: true,
        }
    }

    /// Whether the work has ended. Of whoever was told of an event, it is enough to know of that.
    async fn is_over(&self, told: Option<Version>) -> Result<bool, Fault> {
        let work = self.work;
        let look = move |loaded: &Loaded| writes_no_more(&loaded.build, work);
        let over = match told {
            Some(version) => self.app.builds.read_since(self.build, version, look).await?,
            None => {
                let _turn = self.relay.turn().await;
                self.app.builds.read(self.build, look).await?
            }
        };
        Ok(over.unwrap_or(true))
    }

    async fn wait(&mut self) -> Result<Woken, Fault> {
        while let Some(news) = &mut self.news {
            let told = tokio::select! {
                changed = self.last.changed() => {
                    return Ok(if changed.is_ok() { Woken::Written } else { Woken::Closed });
                }
                heard = news.next() => match heard {
                    News::Told(told) => Some(told.version),
                    News::Missed => {
                        *news = news.renewed();
                        None
                    }
                },
            };
            if self.is_over(told).await? {
                break;
            }
        }
        Ok(Woken::Over)
    }
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
        self.last.borrow_and_update();
        // Asked before the lines are read, so that none written in between is missed.
        self.over = self.is_over(None).await?;
        self.page = self.written.read(self.after).await?.into();
        Ok(())
    }

    async fn next(&mut self) -> Result<Next, Fault> {
        loop {
            if let Some((seq, message)) = self.page.pop_front() {
                self.after = seq;
                return Ok(Next::Message(message));
            }
            let last = *self.last.borrow_and_update();
            if self.unsure || last > self.after {
                self.page = self.written.read(self.after).await?.into();
                self.unsure &= !self.page.is_empty();
                if !self.page.is_empty() {
                    continue;
                }
            }
            if self.over {
                return Ok(Next::End(EndReason::Ended));
            }
            if self.news.is_none() {
                return Ok(Next::End(EndReason::Head));
            }
            match self.wait().await? {
                Woken::Written => {}
                Woken::Over => (self.over, self.unsure) = (true, true),
                Woken::Closed => return Ok(Next::Stop),
            }
        }
    }
}
