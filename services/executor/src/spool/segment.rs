//! One file of the log. It holds its reports and what became of each, so it can go as soon as all of its own are
//! confirmed, whatever stands in others.

use super::{contents::Contents, record::Record};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Ends the name of a segment.
pub(super) const SEGMENT: &str = "log";
/// Ends the name of one that is kept for people, since something in it makes no sense.
pub(super) const DAMAGED: &str = "damaged";

/// A segment.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    /// Open while it is written to.
    file: Option<Arc<SegmentFile>>,
    /// Where its last whole line ends.
    whole: u64,
    /// How many reports were written to it by this process.
    reports: u64,
    /// How many of its reports are to be confirmed yet.
    unconfirmed: usize,
    /// Those that are confirmed, but do not stand there as such yet.
    owed: Vec<u64>,
    at_end: AtEnd,
}

/// What becomes of a segment that nobody needs any more.
#[derive(Debug)]
enum AtEnd {
    Remove,
    /// It is damaged.
    SetAside,
}

/// The file of a segment, also in the hands of who makes it durable.
#[derive(Debug)]
pub(super) struct SegmentFile {
    file: File,
    doubtful: AtomicBool,
}

impl SegmentFile {
    pub(super) fn new(file: File) -> Self {
        Self { file, doubtful: AtomicBool::new(false) }
    }

    /// Has what was written outlast the machine. Where that failed once it fails for ever: the kernel may have
    /// dropped what it could not write, and says so only once.
    pub(super) fn flush(&self, flush: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
        if self.is_doubtful() {
            return Err(io::Error::other("an earlier write to this file may be lost"));
        }
        flush(&self.file).inspect_err(|_| self.doubtful.store(true, Ordering::Relaxed))
    }

    fn is_doubtful(&self) -> bool {
        self.doubtful.load(Ordering::Relaxed)
    }
}

impl Segment {
    /// A new one; its name is durable.
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(&path)?;
        let named = File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        if let Err(error) = named {
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let mut segment = Self::of(path, &Contents::default());
        segment.file = Some(Arc::new(SegmentFile::new(file)));
        Ok(segment)
    }

    /// One of an earlier process, with what it says.
    pub(super) fn open(path: PathBuf) -> io::Result<(Self, Contents)> {
        let contents = Contents::read(&fs::read(&path)?);
        if contents.damaged > 0 {
            tracing::error!(lines = contents.damaged, file = %path.display(), "reports in the spool are damaged");
        }
        Ok((Self::of(path, &contents), contents))
    }

    fn of(path: PathBuf, contents: &Contents) -> Self {
        let unconfirmed = contents.unconfirmed.len();
        let at_end = if contents.damaged > 0 { AtEnd::SetAside } else { AtEnd::Remove };
        Self { path, file: None, whole: contents.whole, reports: 0, unconfirmed, owed: Vec::new(), at_end }
    }

    /// Writes, in one go, which of its reports are done and these new ones. Returns the number of the first of
    /// them. If it fails, nothing of it stands there.
    pub(super) fn append(&mut self, bodies: &[Vec<u8>]) -> io::Result<u64> {
        let first = self.reports;
        let mut lines = Vec::new();
        for &number in &self.owed {
            Record::Done { number }.write(&mut lines);
        }
        for (number, body) in (first..).zip(bodies) {
            Record::Report { number, body }.write(&mut lines);
        }
        self.append_lines(&lines)?;
        self.owed.clear();
        self.reports += bodies.len() as u64;
        self.unconfirmed += bodies.len();
        Ok(first)
    }

    fn append_lines(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => Arc::new(SegmentFile::new(self.open_after_the_last_line()?)),
        };
        if let Err(error) = (&file.file).write_all(lines) {
            // A part of it may stand there. If it cannot be cut off now, it is before the next line is written.
            let _ = file.file.set_len(self.whole);
            return Err(error);
        }
        self.file = Some(file);
        self.whole += lines.len() as u64;
        Ok(())
    }

    fn open_after_the_last_line(&self) -> io::Result<File> {
        let file = OpenOptions::new().append(true).open(&self.path)?;
        if file.metadata()?.len() > self.whole {
            file.set_len(self.whole)?;
        }
        Ok(file)
    }

    /// A report needs not be kept any more; [`append`](Self::append) writes that.
    pub(super) fn is_done(&mut self, number: u64) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        self.owed.push(number);
    }

    /// Whether there is something that [`append`](Self::append) would write.
    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Whether nobody needs it, if nothing more is written to it.
    pub(super) fn is_over(&self) -> bool {
        self.unconfirmed == 0
    }

    /// Whether another should be begun, because of its size or because the disk may have lost a part of it.
    pub(super) fn is_spent(&self, bytes: u64) -> bool {
        self.whole >= bytes || self.file.as_ref().is_none_or(|file| file.is_doubtful())
    }

    /// The file that was written to last, to be made durable.
    pub(super) fn file(&self) -> Option<Arc<SegmentFile>> {
        self.file.clone()
    }

    /// Needs no open file for now.
    pub(super) fn rest(&mut self) {
        self.file = None;
    }

    /// Puts the file out of the way of every later start. Should the machine fail before the disk has that,
    /// reports are published once more.
    pub(super) fn put_away(self) {
        let done = match self.at_end {
            AtEnd::Remove => fs::remove_file(&self.path),
            AtEnd::SetAside => fs::rename(&self.path, self.path.with_extension(DAMAGED)),
        };
        if let Err(error) = done {
            tracing::error!(%error, file = %self.path.display(), "confirmed reports stay in the spool");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Contents, Segment, fs};
    use std::{collections::BTreeMap, io::Write as _};

    #[test]
    fn what_a_failed_write_left_is_cut_off_before_the_next_line() {
        // Given a segment with a report, and a part of another that could neither be finished nor cut off
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outcomes-1.log");
        let mut segment = Segment::create(path.clone()).unwrap();
        segment.append(&[b"a".to_vec()]).unwrap();
        segment.rest();
        fs::File::options().append(true).open(&path).unwrap().write_all(b"12345678 repo").unwrap();
        // When the next is written
        segment.append(&[b"b".to_vec()]).unwrap();
        // Then both are whole
        let contents = Contents::read(&fs::read(&path).unwrap());
        assert_eq!(contents.unconfirmed, BTreeMap::from([(0, b"a".to_vec()), (1, b"b".to_vec())]));
        assert_eq!((contents.whole, contents.damaged), (fs::metadata(&path).unwrap().len(), 0));
    }

    #[test]
    fn what_is_done_and_could_not_be_written_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let (path, away) = (folder.path().join("outcomes-1.log"), folder.path().join("away"));
        let mut segment = Segment::create(path.clone()).unwrap();
        segment.append(&[b"a".to_vec(), b"b".to_vec()]).unwrap();
        segment.rest();
        fs::rename(&path, &away).unwrap();
        segment.is_done(0);
        segment.append(&[]).unwrap_err();
        fs::rename(&away, &path).unwrap();
        segment.append(&[]).unwrap();
        let contents = Contents::read(&fs::read(&path).unwrap());
        assert_eq!(contents.unconfirmed, BTreeMap::from([(1, b"b".to_vec())]));
    }
}
