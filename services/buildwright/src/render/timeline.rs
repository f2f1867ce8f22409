//! When what went on, as bars: what ran side by side is seen at a glance.

use super::{
    amounts,
    progress::{Progress, Went},
    text::{clean, cut},
};
use domain::build::Work;

/// Columns of the bars.
const WIDTH: i64 = 44;
/// Most columns of the names.
const NAME: usize = 20;
/// Most rows.
const MOST: usize = 40;

/// A row for each attempt, in the order of the beginnings, under a scale.
pub(crate) fn timeline(progress: &Progress) -> Vec<String> {
    let mut attempts = progress.attempts.clone();
    attempts.sort_by_key(|attempt| (attempt.from, attempt.work));
    let begin = progress.submitted_at.into_iter().chain(attempts.first().map(|a| a.from)).min();
    let end = attempts.iter().map(|attempt| attempt.to).max();
    let (Some(begin), Some(end)) = (begin, end) else { return Vec::new() };
    let total = (end - begin).num_milliseconds().max(1);
    let column =
        |at: chrono::DateTime<chrono::Utc>| ((at - begin).num_milliseconds() * WIDTH / total).clamp(0, WIDTH);

    let mut lines = vec![format!("{:NAME$} 0s{:>width$}", "", amounts::duration(total), width = 42)];
    for attempt in attempts.iter().take(MOST) {
        let from = column(attempt.from).min(WIDTH - 1);
        let length = (column(attempt.to) - from).max(1);
        let full = match attempt.went {
            Went::Well => "█",
            Went::Badly => "▒",
            Went::Nowhere => "░",
        };
        let bar = full.repeat(usize::try_from(length).unwrap_or(1));
        let before = " ".repeat(usize::try_from(from).unwrap_or(0));
        let after = " ".repeat(usize::try_from(WIDTH - from - length).unwrap_or(0));
        let mut name = clean(progress.name(attempt.work));
        if attempt.attempt > 1 && attempt.work != Work::Merge {
            name = format!("{} (try {})", cut(&name, NAME - 8), attempt.attempt);
        }
        let took = amounts::duration((attempt.to - attempt.from).num_milliseconds());
        lines.push(format!("{:NAME$} {before}{bar}{after} {took}", cut(&name, NAME)));
    }
    if attempts.len() > MOST {
        lines.push(format!("… and {} more", amounts::of((attempts.len() - MOST) as u64, "attempt")));
    }
    if let Some(most) = most_at_once(progress).filter(|most| *most > 1) {
        lines.push(format!("{:NAME$} up to {most} at the same time", ""));
    }
    lines
}

/// How many attempts went on at the same time, at most.
fn most_at_once(progress: &Progress) -> Option<usize> {
    let attempts = &progress.attempts;
    let at = |moment| attempts.iter().filter(|a| a.from <= moment && moment < a.to).count();
    attempts.iter().map(|attempt| at(attempt.from)).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::progress::tests::{progress, story};

    #[test]
    fn what_ran_side_by_side_is_seen_side_by_side() {
        let lines = timeline(&progress(&story()));
        let expected = [
            "                     0s                                      2.0s",
            "plan                 ███████████                                  0.4s",
            "store                           ███████████████████               0.8s",
            "view                            ▒▒▒▒▒▒▒▒                          0.3s",
            "view (try 2)                             █████████████████████    0.9s",
            "merge                                                         ███ 0.1s",
            "                     up to 2 at the same time",
        ];
        assert_eq!(lines, expected, "\n{}", lines.join("\n"));
    }

    #[test]
    fn a_build_without_attempts_has_no_timeline() {
        assert!(timeline(&Progress::default()).is_empty());
        assert!(timeline(&progress(&story()[..3])).is_empty());
    }
}
