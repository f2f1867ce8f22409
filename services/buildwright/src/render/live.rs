//! Lines that move: a bar over the tasks, and below it one line for each that is being carried out.

use super::{
    amounts,
    display::Display,
    logging,
    progress::{Progress, Stage},
    sentence::sentence,
    text::{clean, cut},
};
use domain::build::{BuildEvent, Work};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::{collections::BTreeMap, time::Duration};

/// Most lines of tasks; a terminal has few, and so has a reader's eye.
const MOST_LINES: usize = 12;
const REDRAW: Duration = Duration::from_millis(120);

pub(super) struct Live {
    screen: MultiProgress,
    head: ProgressBar,
    lines: BTreeMap<Work, ProgressBar>,
}

impl Live {
    pub(super) fn new() -> Self {
        let screen = MultiProgress::new();
        let head = screen.add(ProgressBar::new(0));
        head.set_style(style(
            "{spinner:.cyan} [{bar:24.green/dim}] {pos}/{len} tasks  {elapsed}  {wide_msg}",
        ));
        head.enable_steady_tick(REDRAW);
        Self { screen, head, lines: BTreeMap::new() }
    }

    fn show_running(&mut self, progress: &Progress) {
        self.lines.retain(|work, line| {
            let runs = progress.running.contains_key(work);
            if !runs {
                line.finish_and_clear();
                self.screen.remove(line);
            }
            runs
        });
        for (&work, running) in &progress.running {
            if self.lines.len() >= MOST_LINES {
                break;
            }
            let name = match running.attempt {
                0 | 1 => clean(progress.name(work)),
                attempt => format!("{} ({attempt})", clean(progress.name(work))),
            };
            self.lines.entry(work).or_insert_with(|| {
                let line = self.screen.add(ProgressBar::new_spinner());
                line.set_style(style("  {spinner:.cyan} {prefix:<18!.bold} {elapsed:>4.dim}  {wide_msg}"));
                line.set_prefix(cut(&name, 18));
                line.enable_steady_tick(REDRAW);
                line
            });
        }
    }

    fn show_head(&self, progress: &Progress) {
        let total = progress.tasks.len() as u64;
        if total > 0 && self.head.length() != Some(total) {
            self.head.set_style(style(
                "{spinner:.cyan} [{bar:24.green/dim}] {pos}/{len} tasks  {elapsed}  {wide_msg}",
            ));
        }
        self.head.set_length(total);
        self.head.set_position(progress.completed as u64);
        let stage = match progress.stage {
            Stage::Waiting => "waiting",
            Stage::Planning => "planning",
            Stage::Tasks => "",
            Stage::Merging => "merging",
            Stage::Completed | Stage::Failed | Stage::Cancelled => "over",
        };
        let usage = progress.usage;
        let mut told: Vec<String> = vec![stage.to_owned()];
        if usage.input_tokens + usage.output_tokens > 0 {
            told.push(format!(
                "{}/{} tokens",
                amounts::count(usage.input_tokens),
                amounts::count(usage.output_tokens)
            ));
            told.push(amounts::dollars(usage.cost_nano_usd as f64 / 1e9));
        }
        let hidden = progress.running.len().saturating_sub(self.lines.len());
        if hidden > 0 {
            told.push(format!("{hidden} more at work"));
        }
        told.retain(|text| !text.is_empty());
        self.head.set_message(told.join("  "));
    }
}

impl Display for Live {
    fn event(&mut self, event: &BuildEvent, progress: &Progress) {
        // A line that moves says it already.
        let begins = matches!(event, BuildEvent::TaskStarted(_) | BuildEvent::PlanningStarted(_));
        if let Some(text) = sentence(event, progress).filter(|_| !begins) {
            self.note(&text);
        }
        self.show_running(progress);
        self.show_head(progress);
    }

    fn shows_activity(&self) -> bool {
        true
    }

    fn activity(&mut self, work: Work, text: String) {
        if let Some(line) = self.lines.get(&work) {
            line.set_message(text);
        }
    }

    fn note(&mut self, text: &str) {
        let _ = self.screen.println(text);
    }

    fn close(&mut self) {
        for line in self.lines.values() {
            line.finish_and_clear();
        }
        self.head.finish_and_clear();
        let _ = self.screen.clear();
        logging::through(None);
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
    }
}

/// A template of ours that a test reads; indicatif's own would do if it were wrong.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("━━─")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::progress::tests::{progress, story};
    use indicatif::{InMemoryTerm, ProgressDrawTarget, TermLike};

    #[test]
    fn what_each_task_is_at_stands_in_a_line_of_its_own() {
        let terminal = InMemoryTerm::new(20, 80);
        let mut live = Live::new();
        live.screen.set_draw_target(ProgressDrawTarget::term_like(Box::new(terminal.clone())));
        let events = story();
        for until in 1..=9 {
            live.event(&events[until - 1].0, &progress(&events[..until]));
        }
        live.activity(Work::Task(plan::TaskNumber(1)), "Write b".repeat(40));
        live.head.tick();
        for line in live.lines.values() {
            line.tick();
        }
        let screen = terminal.contents();
        for expected in
            ["✓ a plan of 2 tasks", "0/2 tasks", "store", "view (2)", "Write bWrite b", "another try follows"]
        {
            assert!(screen.contains(expected), "{expected} is missing in\n{screen}");
        }
        assert!(screen.lines().all(|line| line.chars().count() <= usize::from(terminal.width())), "{screen}");
        live.event(&events[13].0, &progress(&events));
        live.close();
        let screen = terminal.contents();
        assert!(screen.contains("✓ completed") && !screen.contains("0/2"), "{screen}");
    }
}
