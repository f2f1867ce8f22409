//! What this process knows of the lines of projects that were in use lately.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use names::OwnedProject;

use crate::heads::Line;

/// A build without a project has one of its own, so there are ever more of them.
pub(crate) struct Lines {
    most: NonZeroUsize,
    known: Mutex<LruCache<OwnedProject, Arc<Line>>>,
}

impl Lines {
    pub(crate) fn new(most: NonZeroUsize) -> Self {
        Self { most, known: Mutex::new(LruCache::unbounded()) }
    }

    /// The one line of a project. There must never be two that are held: whoever takes turns by them would not wait
    /// for each other. So one that is held keeps its place, and until it is let go of there may be more than the most.
    pub(crate) fn of(&self, project: &OwnedProject) -> Arc<Line> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Arc::clone(known.get_or_insert_ref(project, Arc::default));
        while known.len() > self.most.get()
            && known.peek_lru().is_some_and(|(_, oldest)| Arc::strong_count(oldest) == 1)
        {
            known.pop_lru();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use names::ProjectName;

    fn project(number: usize) -> OwnedProject {
        format!("project-{number}").parse::<ProjectName>().unwrap().into()
    }

    #[test]
    fn the_lines_of_idle_projects_are_let_go_of_and_held_ones_are_not() {
        let lines = Lines::new(NonZeroUsize::MIN.saturating_add(2));
        let held: Vec<_> = (0..10).map(|number| lines.of(&project(number))).collect();
        for (number, line) in held.iter().enumerate() {
            assert!(Arc::ptr_eq(line, &lines.of(&project(number))), "{number}");
        }
        drop(held);
        for number in 10..100 {
            lines.of(&project(number));
            lines.of(&project(0));
        }
        let known = lines.known.lock().unwrap();
        let kept: Vec<_> = known.iter().map(|(project, _)| project.clone()).collect();
        assert_eq!(kept, [project(0), project(99), project(98)]);
    }
}
