use super::file::LogFile;
use domain::{BuildId, build::Work};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Whose output.
pub(super) type WorkId = (BuildId, Work);

/// The files in use or recently used, and who follows which.
#[derive(Debug)]
pub(super) struct Registry {
    files: HashMap<WorkId, Recent>,
    most_files: usize,
    /// Counts uses, so that the file unused for longest is known.
    now: u64,
    followed: HashMap<WorkId, watch::Sender<u64>>,
    /// When more than this many are followed, those that nobody follows any more are looked for.
    sweep_at: usize,
}

#[derive(Debug)]
struct Recent {
    file: Arc<Mutex<LogFile>>,
    used: u64,
}

/// Fewest followed logs worth a sweep.
const SWEEP: usize = 64;

impl Registry {
    pub(super) fn new(most_files: usize) -> Self {
        Self { files: HashMap::new(), most_files, now: 0, followed: HashMap::new(), sweep_at: SWEEP }
    }

    /// The one file of that work. There is never a second one with a count of its own: a file that somebody
    /// holds is not forgotten.
    pub(super) fn file(&mut self, work: WorkId, new: impl FnOnce() -> LogFile) -> Arc<Mutex<LogFile>> {
        self.now += 1;
        let now = self.now;
        let recent =
            self.files.entry(work).or_insert_with(|| Recent { file: Arc::new(Mutex::new(new())), used: now });
        recent.used = now;
        let file = Arc::clone(&recent.file);
        if self.files.len() > self.most_files {
            let idle = self.files.iter().filter(|(_, recent)| Arc::strong_count(&recent.file) == 1);
            if let Some(oldest) = idle.min_by_key(|(_, recent)| recent.used).map(|(work, _)| *work) {
                self.files.remove(&oldest);
            }
        }
        file
    }

    pub(super) fn follow(&mut self, work: WorkId) -> watch::Receiver<u64> {
        if self.followed.len() >= self.sweep_at {
            self.followed.retain(|_, sender| sender.receiver_count() > 0);
            self.sweep_at = (self.followed.len() * 2).max(SWEEP);
        }
        self.followed.entry(work).or_insert_with(|| watch::Sender::new(0)).subscribe()
    }

    /// Tells followers the number of the last line. Two writers may tell in either order.
    pub(super) fn tell(&mut self, work: WorkId, last: u64) {
        let Some(sender) = self.followed.get(&work) else { return };
        if sender.receiver_count() == 0 {
            self.followed.remove(&work);
        } else {
            sender.send_if_modified(|known| last > std::mem::replace(known, last.max(*known)));
        }
    }

    pub(super) fn forget(&mut self, build: BuildId) {
        self.files.retain(|(of, _), _| *of != build);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OutputBounds;
    use ulid::Ulid;

    fn work(n: u128) -> WorkId {
        (BuildId::new(Ulid(n)), Work::Plan)
    }

    fn new_file() -> LogFile {
        LogFile::new("unused".into(), OutputBounds::default())
    }

    #[test]
    fn a_file_in_use_is_kept_and_idle_ones_are_bounded() {
        let mut registry = Registry::new(3);
        let held = registry.file(work(0), new_file);
        for n in 1..50 {
            registry.file(work(n), new_file);
            assert!(registry.files.len() <= 4);
        }
        assert!(Arc::ptr_eq(&held, &registry.file(work(0), new_file)));
        assert!(registry.files.contains_key(&work(49)));
    }

    #[test]
    fn whom_nobody_follows_is_forgotten() {
        let mut registry = Registry::new(3);
        let follower = registry.follow(work(0));
        for n in 1..1000 {
            drop(registry.follow(work(n)));
        }
        assert!(registry.followed.len() <= SWEEP + 1, "{}", registry.followed.len());
        registry.tell(work(0), 7);
        assert_eq!(*follower.borrow(), 7);
        drop(follower);
        registry.tell(work(0), 8);
        assert!(!registry.followed.contains_key(&work(0)));
    }
}
