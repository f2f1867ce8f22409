use ports::{StreamId, Version};
use std::collections::HashMap;

/// The versions of recently used streams: what this process wrote, or found in the file before.
///
/// Two generations stand in for a list ordered by use: when the young one is full it becomes the old one,
/// and what was not used since then is forgotten with the generation before.
#[derive(Debug)]
pub(crate) struct Versions {
    young: HashMap<StreamId, Version>,
    old: HashMap<StreamId, Version>,
    generation: usize,
}

impl Versions {
    pub(crate) fn new(generation: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation }
    }

    pub(crate) fn get(&self, stream: StreamId) -> Option<Version> {
        self.young.get(&stream).or_else(|| self.old.get(&stream)).copied()
    }

    pub(crate) fn set(&mut self, stream: StreamId, version: Version) {
        if self.young.len() >= self.generation && !self.young.contains_key(&stream) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, version);
    }

    pub(crate) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::BuildId;
    use ulid::Ulid;

    fn stream(n: u128) -> StreamId {
        StreamId::Build(BuildId::new(Ulid(n)))
    }

    #[test]
    fn a_stream_in_use_is_remembered_and_the_rest_is_bounded() {
        let mut versions = Versions::new(4);
        for n in 1..100_u64 {
            versions.set(stream(n.into()), Version(1));
            versions.set(stream(0), Version(n));
            assert_eq!(versions.get(stream(0)), Some(Version(n)));
            assert_eq!(versions.get(stream(n.into())), Some(Version(1)));
            assert!(versions.young.len() + versions.old.len() <= 8);
        }
        assert_eq!(versions.get(stream(50)), None);
    }

    #[test]
    fn the_newest_version_hides_an_older_generation() {
        let mut versions = Versions::new(1);
        versions.set(stream(1), Version(1));
        versions.set(stream(2), Version(1));
        versions.set(stream(1), Version(2));
        assert_eq!(versions.get(stream(1)), Some(Version(2)));
    }
}
