//! What commands lead to that are decided together, before it is stored.

use crate::{ExecuteError, Expected, Loaded, Writers};
use domain::build::{Build, BuildEvent, Command};
use ports::Version;
use std::mem;

/// What commands lead to, each seeing what those before it led to.
pub(crate) struct Decided {
    /// For each command, the number of events up to its last, or why it was refused.
    pub(crate) answers: Vec<Result<u64, ExecuteError>>,
    pub(crate) events: Vec<BuildEvent>,
    /// The state after the first so many events, if more than one command had to be decided.
    ahead: Option<(Build, usize)>,
}

impl Decided {
    pub(crate) fn of<'a>(
        loaded: &mut Loaded,
        commands: impl Iterator<Item = (&'a Command, &'a Expected)>,
        writers: Writers,
    ) -> Self {
        let mut decided = Self { answers: Vec::new(), events: Vec::new(), ahead: None };
        for (command, expected) in commands {
            let version = Version(loaded.version.0 + decided.events.len() as u64);
            // Of a build that does not exist, the command itself says more.
            if version > Version(0) && !expected.holds(version) {
                decided.answers.push(Err(ExecuteError::Outdated));
                continue;
            }
            decided.catch_up(loaded, writers);
            let state = decided.ahead.as_ref().map_or(&loaded.build, |(build, _)| build);
            let answer = state.decide(command.clone()).map(|new| {
                decided.events.extend(new);
                decided.events.len() as u64
            });
            let answer = answer.map_err(ExecuteError::from);
            decided.answers.push(answer);
        }
        decided
    }

    /// Brings the state up to all events, so that a further command can be decided.
    fn catch_up(&mut self, loaded: &mut Loaded, writers: Writers) {
        let done = self.ahead.as_ref().map_or(0, |(_, done)| *done);
        if done == self.events.len() {
            return;
        }
        let (build, done) = self.ahead.get_or_insert_with(|| match writers {
            // No conflict is going to ask for the state before.
            Writers::OnlyThis => (mem::take(&mut loaded.build), 0),
            Writers::Several => (loaded.build.clone(), 0),
        });
        for event in self.events.iter().skip(*done) {
            build.apply(event);
        }
        *done = self.events.len();
    }

    /// The state once all events are stored.
    pub(crate) fn come_true(mut self, loaded: &mut Loaded) -> Vec<Result<u64, ExecuteError>> {
        let done = self.ahead.take().map_or(0, |(build, done)| {
            loaded.build = build;
            done
        });
        for event in self.events.iter().skip(done) {
            loaded.build.apply(event);
        }
        self.answers
    }
}
