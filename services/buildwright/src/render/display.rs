//! How the course of a build is shown while it goes on.

use super::{live::Live, plain::Plain, progress::Progress};
use crate::cli::Output;
use domain::build::{BuildEvent, Work};
use std::io::{self, IsTerminal as _};

/// Shows the course of a build. Everything goes to standard error: standard output is for the result.
pub(crate) trait Display: Send {
    /// Something happened; `progress` knows it already.
    fn event(&mut self, event: &BuildEvent, progress: &Progress);

    /// Whether it shows what is going on between events.
    fn shows_activity(&self) -> bool {
        false
    }

    /// Somebody is doing this now.
    fn activity(&mut self, _work: Work, _text: String) {}

    /// Something to tell that is no event.
    fn note(&mut self, text: &str);

    /// The course is over; what is left on the terminal stays.
    fn close(&mut self) {}
}

/// What fits: lines that move on a terminal, plain ones elsewhere, and nothing for machines.
pub(crate) fn display(output: Output) -> Box<dyn Display> {
    match output {
        Output::Json => Box::new(Silent),
        Output::Text if io::stderr().is_terminal() => Box::new(Live::new()),
        Output::Text => Box::new(Plain::new(io::stderr())),
    }
}

struct Silent;

impl Display for Silent {
    fn event(&mut self, _: &BuildEvent, _: &Progress) {}
    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }
}
