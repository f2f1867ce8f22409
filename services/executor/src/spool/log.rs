//! The segments in the folder of a spool.
//!
//! A segment gets reports until it is large enough. From then on it only gets what became of them, and goes when
//! all are confirmed. Reports of an earlier process are never written behind: so its segments go, too.

use super::segment::{DAMAGED, SEGMENT, Segment, SegmentFile};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Begins the name of a segment.
const OUTCOMES: &str = "outcomes-";
/// Begins the name of a report that is kept for people.
const SET_ASIDE: &str = "set-aside-";

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    /// The size from which a segment is large enough.
    segment_bytes: u64,
    segments: BTreeMap<u64, Segment>,
    /// Where reports are written to; made when there is one.
    current: Option<u64>,
    next: u64,
}

/// A report in the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    segment: u64,
    number: u64,
}

/// A report of an earlier process that nobody confirmed.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) kept: Kept,
    pub(super) body: Vec<u8>,
}

/// Reports that were written together.
pub(super) struct Written {
    /// In their order.
    pub(super) kept: Vec<Kept>,
    /// Where they are, to be made durable.
    pub(super) file: Arc<SegmentFile>,
}

impl Log {
    /// Opens it, makes its folder if it is not there, and reads what is left in it.
    pub(super) fn open(folder: PathBuf, segment_bytes: u64) -> io::Result<(Self, Vec<Left>)> {
        fs::create_dir_all(&folder)?;
        let (found, next) = list(&folder)?;
        let mut log = Self { folder, segment_bytes, segments: BTreeMap::new(), current: None, next };
        let mut left = Vec::new();
        for number in found {
            let path = log.path(number);
            match Segment::open(path.clone()) {
                Ok((segment, contents)) => {
                    log.segments.insert(number, segment);
                    let kept = |number_in_it| Kept { segment: number, number: number_in_it };
                    let unconfirmed = contents.unconfirmed.into_iter();
                    left.extend(unconfirmed.map(|(number, body)| Left { kept: kept(number), body }));
                }
                Err(error) => unreadable(&path, &error),
            }
        }
        log.settle();
        Ok((log, left))
    }

    /// Writes reports, in one go. They outlast the process then. If it fails, none of them is there, and the
    /// next ones go to another segment.
    pub(super) fn keep(&mut self, bodies: &[Vec<u8>]) -> io::Result<Written> {
        self.leave_what_is_spent();
        let number = match self.current {
            Some(number) => number,
            None => self.begin_segment()?,
        };
        let segment = self.segments.get_mut(&number).ok_or(io::ErrorKind::NotFound)?;
        let first = segment.append(bodies)?;
        let file = segment.file().ok_or(io::ErrorKind::NotFound)?;
        let kept = (first..).zip(bodies).map(|(n, _)| Kept { segment: number, number: n });
        Ok(Written { kept: kept.collect(), file })
    }

    fn begin_segment(&mut self) -> io::Result<u64> {
        let number = self.next;
        self.segments.insert(number, Segment::create(self.path(number))?);
        self.next = number.saturating_add(1);
        self.current = Some(number);
        Ok(number)
    }

    fn leave_what_is_spent(&mut self) {
        let current = self.current.and_then(|number| self.segments.get(&number));
        if current.is_none_or(|segment| segment.is_spent(self.segment_bytes)) {
            self.current = None;
        }
    }

    /// Forgets reports. [`settle`](Self::settle) or the next [`keep`](Self::keep) writes that.
    pub(super) fn forget(&mut self, kept: &Kept) {
        if let Some(segment) = self.segments.get_mut(&kept.segment) {
            segment.is_done(kept.number);
        }
    }

    /// Writes no more to the current segment, so that it goes as soon as all in it are confirmed.
    pub(super) fn leave_current(&mut self) {
        self.current = None;
    }

    /// Keeps a report for people, out of the way of every later start.
    pub(super) fn set_aside(&mut self, kept: &Kept, body: &[u8]) {
        let path = self.folder.join(format!("{SET_ASIDE}{}-{}.json", kept.segment, kept.number));
        let written = fs::File::create(&path).and_then(|mut file| {
            file.write_all(body)?;
            file.sync_all()
        });
        match written {
            Ok(()) => self.forget(kept),
            Err(error) => {
                tracing::error!(%error, file = %path.display(), "a report could not be set aside");
            }
        }
    }

    /// Writes what is known to be done, and puts away what nobody needs any more.
    pub(super) fn settle(&mut self) {
        self.leave_what_is_spent();
        let current = self.current;
        let over =
            self.segments.extract_if(.., |number, segment| Some(*number) != current && segment.is_over());
        over.for_each(|(_, segment)| segment.put_away());
        for (number, segment) in &mut self.segments {
            if segment.owes()
                && let Err(error) = segment.append(&[])
            {
                tracing::warn!(%error, segment = number, "the spool could not note what is confirmed");
            }
            if Some(*number) != current {
                segment.rest();
            }
        }
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{OUTCOMES}{number}.{SEGMENT}"))
    }
}

/// The numbers of the segments in a folder, and one that no name there has.
fn list(folder: &Path) -> io::Result<(BTreeSet<u64>, u64)> {
    let (mut segments, mut next) = (BTreeSet::new(), 1_u64);
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(number) = number_in(name) else { continue };
        next = next.max(number.saturating_add(1));
        if name == format!("{OUTCOMES}{number}.{SEGMENT}") {
            segments.insert(number);
        }
    }
    Ok((segments, next))
}

/// The number of the segment that a file is or came from.
fn number_in(name: &str) -> Option<u64> {
    let outcomes = name.strip_prefix(OUTCOMES).and_then(|rest| rest.split_once('.'));
    let set_aside = name.strip_prefix(SET_ASIDE).and_then(|rest| rest.split_once('-'));
    outcomes.or(set_aside)?.0.parse().ok()
}

fn unreadable(path: &Path, error: &io::Error) {
    tracing::error!(%error, file = %path.display(), "a file in the spool cannot be read");
    if let Err(error) = fs::rename(path, path.with_extension(DAMAGED)) {
        tracing::error!(%error, file = %path.display(), "a file in the spool could not be set aside");
    }
}

#[cfg(test)]
mod tests {
    use super::{Log, io};

    #[test]
    fn what_the_disk_may_have_lost_a_part_of_gets_no_more_reports() {
        let folder = tempfile::tempdir().unwrap();
        let (mut log, _) = Log::open(folder.path().to_owned(), 1 << 20).unwrap();
        let first = log.keep(&[b"a".to_vec()]).unwrap();
        let second = log.keep(&[b"b".to_vec()]).unwrap();
        assert_eq!(first.kept[0].segment, second.kept[0].segment);
        first.file.flush(|_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        let third = log.keep(&[b"c".to_vec()]).unwrap();
        assert_ne!(third.kept[0].segment, second.kept[0].segment);
    }
}
