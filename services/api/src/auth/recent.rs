use lru::LruCache;
use ports::ApiKey;
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

type Answers = LruCache<[u8; 32], (Instant, Option<Arc<ApiKey>>)>;

/// What the store said of keys a moment ago, that there is none included. Under the digest of the whole text, so
/// that a wrong secret is not taken for the right one.
pub(super) struct Recent {
    trusted: Duration,
    answers: Mutex<Answers>,
}

impl Recent {
    /// Answers are trusted for so long, and at most so many are kept.
    pub(super) fn new(trusted: Duration, most: NonZeroUsize) -> Self {
        Self { trusted, answers: Mutex::new(LruCache::new(most)) }
    }

    /// What was said, if that is not too long ago.
    pub(super) fn get(&self, digest: &[u8; 32], now: Instant) -> Option<Option<Arc<ApiKey>>> {
        let mut answers = self.lock();
        let (asked, answer) = answers.get(digest)?;
        (now.duration_since(*asked) < self.trusted).then(|| answer.clone())
    }

    /// What the store said to a question that was asked then.
    pub(super) fn put(&self, digest: [u8; 32], asked: Instant, answer: Option<Arc<ApiKey>>) {
        self.lock().put(digest, (asked, answer));
    }

    fn lock(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_trusted_from_when_it_was_asked_for_and_the_oldest_is_forgotten() {
        let recent = Recent::new(Duration::from_secs(3), NonZeroUsize::MIN.saturating_add(1));
        let began = Instant::now();
        recent.put([1; 32], began, None);
        assert_eq!(recent.get(&[1; 32], began + Duration::from_millis(2_999)), Some(None));
        assert_eq!(recent.get(&[1; 32], began + Duration::from_secs(3)), None);
        for n in 2..9 {
            recent.put([n; 32], began, None);
        }
        assert_eq!(recent.get(&[1; 32], began), None);
        assert_eq!(recent.get(&[8; 32], began), Some(None));
        assert_eq!(recent.lock().len(), 2);
    }
}
