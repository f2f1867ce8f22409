//! One line an event, without escapes: for files, pipes and continuous integration.

use super::{amounts, display::Display, progress::Progress, sentence::sentence};
use domain::build::BuildEvent;
use std::io::Write;

pub(super) struct Plain<W> {
    out: W,
}

impl<W: Write> Plain<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out }
    }

    /// Nobody may be reading; the build goes on all the same.
    fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }
}

impl<W: Write + Send> Display for Plain<W> {
    fn event(&mut self, event: &BuildEvent, progress: &Progress) {
        let Some(text) = sentence(event, progress) else { return };
        let counts = match progress.tasks.len() {
            0 => String::new(),
            total => format!("[{}/{total}] ", progress.completed),
        };
        let cost = match progress.usage.cost_nano_usd {
            0 => String::new(),
            nano => format!("  {}", amounts::dollars(nano as f64 / 1e9)),
        };
        self.line(&format!("{counts}{text}{cost}"));
    }

    fn note(&mut self, text: &str) {
        self.line(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::progress::tests::story;

    #[test]
    fn every_line_is_plain_text() {
        let mut plain = Plain::new(Vec::new());
        let mut progress = Progress::default();
        for (event, recorded_at) in story() {
            progress.apply(&event, recorded_at);
            plain.event(&event, &progress);
        }
        let text = String::from_utf8(plain.out).unwrap();
        assert!(text.contains("[1/2] ✓ store: Keep it (0.9s, 1 file)  $0.0014\n"), "{text}");
        assert!(!text.contains('\u{1b}'));
        assert_eq!(text.lines().count(), 11);
    }
}
