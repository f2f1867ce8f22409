//! Recently used builds.

use crate::mailbox::Mailbox;
use domain::BuildId;
use lru::LruCache;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct Cache {
    capacity: usize,
    mailboxes: Mutex<LruCache<BuildId, Arc<Mailbox>>>,
}

impl Cache {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), mailboxes: Mutex::new(LruCache::unbounded()) }
    }

    /// The mailbox of a build that is here. That it is looked for is no use of it.
    pub(crate) fn known(&self, id: BuildId) -> Option<Arc<Mailbox>> {
        self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner).peek(&id).map(Arc::clone)
    }

    /// The one mailbox of a build. There must never be two: one of them would be out of date. So only those
    /// that nobody holds are let go of, and the cache may for a while be larger than its capacity.
    pub(crate) fn mailbox(&self, id: BuildId) -> Arc<Mailbox> {
        let mut mailboxes = self.mailboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Arc::clone(mailboxes.get_or_insert(id, || Arc::new(Mailbox::new(id))));
        for _ in 0..4 {
            if mailboxes.len() <= self.capacity {
                break;
            }
            match mailboxes.pop_lru() {
                Some((id, held)) if Arc::strong_count(&held) > 1 => {
                    mailboxes.put(id, held);
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ulid::Ulid;

    fn id(n: u128) -> BuildId {
        BuildId::new(Ulid(n))
    }

    #[test]
    fn idle_mailboxes_are_let_go_of_and_held_ones_are_not() {
        let cache = Cache::new(3);
        let held: Vec<_> = (0..10).map(|n| cache.mailbox(id(n))).collect();
        for n in 10..100 {
            cache.mailbox(id(n));
        }
        for (n, mailbox) in (0..).zip(&held) {
            assert!(Arc::ptr_eq(mailbox, &cache.mailbox(id(n))), "{n}");
        }
        drop(held);
        for n in 100..110 {
            cache.mailbox(id(n));
        }
        assert!(cache.mailboxes.lock().unwrap().len() <= 4);
    }
}
