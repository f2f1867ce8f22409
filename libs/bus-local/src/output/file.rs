use super::OutputBounds;
use chrono::{DateTime, Utc};
use domain::build::Attempt;
use ports::{OutputChunk, OutputLine, OutputStream};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::PathBuf,
};

/// How far apart the places are whose offsets are remembered, in bytes.
const MARK_DISTANCE: u64 = 64 << 10;
/// Begins the last line of a file that is full.
const TRUNCATED: &str = "output truncated";

/// The file of one piece of work. It is opened when first needed, and again after a failure.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    bounds: OutputBounds,
    open: Option<OpenFile>,
    /// Lines that could not be written since the last that could.
    lost: u64,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    /// The length of all whole lines.
    bytes: u64,
    /// The number of the last line.
    last: u64,
    /// Whether a process died while it wrote: a piece of a line follows the whole ones.
    torn: bool,
    /// Whether the last line says that nothing follows.
    full: bool,
    marks: Vec<Mark>,
}

/// Where a line begins.
#[derive(Debug, Clone, Copy)]
struct Mark {
    /// The number of the line before it.
    after: u64,
    offset: u64,
}

/// Whole lines of a file.
pub(super) struct Section {
    path: PathBuf,
    from: Mark,
    end: u64,
}

impl LogFile {
    pub(super) fn new(path: PathBuf, bounds: OutputBounds) -> Self {
        Self { path, bounds, open: None, lost: 0 }
    }

    /// The number of the last line; 0 if there is none or it cannot be read.
    pub(super) fn last(&mut self) -> u64 {
        self.open_existing().ok().flatten().map_or(0, |open| open.last)
    }

    /// Adds lines and returns the number of the last one.
    pub(super) fn append(&mut self, chunk: OutputChunk) -> u64 {
        let count = chunk.lines.len() as u64;
        match self.try_append(chunk) {
            Ok(last) => {
                self.lost = 0;
                last
            }
            Err(error) => {
                if self.lost == 0 {
                    tracing::warn!(%error, "output of a run cannot be kept");
                }
                self.lost += count;
                // How much of it was written is found out when the file is opened again.
                self.open.take().map_or(0, |open| open.last)
            }
        }
    }

    fn try_append(&mut self, chunk: OutputChunk) -> io::Result<u64> {
        if self.open_existing()?.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().append(true).read(true).create(true).open(&self.path)?;
            self.open = Some(OpenFile::scan(file)?);
        }
        let Self { open: Some(open), bounds, lost, .. } = self else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut lines = Vec::with_capacity(chunk.lines.len() + 1);
        if let (1.., Some((_, at, _))) = (*lost, chunk.lines.first()) {
            lines.push((OutputStream::System, *at, format!("{lost} lines of output could not be kept")));
        }
        lines.extend(chunk.lines);
        open.append(chunk.attempt, lines, bounds)?;
        Ok(open.last)
    }

    /// What to read for the lines after a number; `None` if there is no file.
    pub(super) fn section(&mut self, after: u64) -> io::Result<Option<Section>> {
        let Some(open) = self.open_existing()? else { return Ok(None) };
        let known = open.marks.partition_point(|mark| mark.after <= after);
        let start = Mark { after: 0, offset: 0 };
        let from = known.checked_sub(1).and_then(|n| open.marks.get(n)).copied().unwrap_or(start);
        let end = if after >= open.last { from.offset } else { open.bytes };
        Ok(Some(Section { from, end, path: self.path.clone() }))
    }

    fn open_existing(&mut self) -> io::Result<Option<&mut OpenFile>> {
        if self.open.is_none() {
            match OpenOptions::new().append(true).read(true).open(&self.path) {
                Ok(file) => self.open = Some(OpenFile::scan(file)?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.open.as_mut())
    }
}

impl OpenFile {
    /// Counts the lines of a file.
    fn scan(file: File) -> io::Result<Self> {
        let mut open = Self { file, bytes: 0, last: 0, torn: false, full: false, marks: Vec::new() };
        let mut reader = BufReader::with_capacity(256 << 10, open.file.try_clone()?);
        let (mut line, mut before) = (Vec::new(), Vec::new());
        reader.rewind()?;
        while reader.read_until(b'\n', &mut line)? > 0 {
            open.torn = line.last() != Some(&b'\n');
            if !open.torn {
                open.count(line.len());
                std::mem::swap(&mut line, &mut before);
            }
            line.clear();
        }
        open.full = serde_json::from_slice::<OutputLine>(&before).is_ok_and(|line| is_end(&line));
        Ok(open)
    }

    /// Takes note of one more whole line.
    fn count(&mut self, length: usize) {
        self.bytes += length as u64;
        self.last += 1;
        if self.bytes - self.marks.last().map_or(0, |mark| mark.offset) >= MARK_DISTANCE {
            self.marks.push(Mark { after: self.last, offset: self.bytes });
        }
    }

    fn append(
        &mut self,
        attempt: Attempt,
        lines: Vec<(OutputStream, DateTime<Utc>, String)>,
        bounds: &OutputBounds,
    ) -> io::Result<()> {
        let (mut encoded, mut lengths, mut full) = (Vec::new(), Vec::new(), self.full);
        for (stream, at, mut text) in lines {
            if full {
                break;
            }
            text.truncate(text.floor_char_boundary(bounds.line_bytes));
            let start = encoded.len();
            let seq = self.last + lengths.len() as u64 + 1;
            let mut line = OutputLine { seq, attempt, stream, at, text };
            encode(&line, &mut encoded)?;
            if self.bytes + encoded.len() as u64 > bounds.work_bytes {
                encoded.truncate(start);
                line.stream = OutputStream::System;
                line.text =
                    format!("{TRUNCATED}: {} bytes are kept of each task's output", bounds.work_bytes);
                encode(&line, &mut encoded)?;
                full = true;
            }
            lengths.push(encoded.len() - start);
        }
        if self.torn {
            self.file.set_len(self.bytes)?;
            self.torn = false;
        }
        self.file.write_all(&encoded)?;
        self.full = full;
        for length in lengths {
            self.count(length);
        }
        Ok(())
    }
}

impl Section {
    /// The lines after a number, at most `limit`. A line that cannot be understood is left out: the machine
    /// may have crashed before it was on disk.
    pub(super) fn read(self, after: u64, limit: usize) -> io::Result<Vec<OutputLine>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        file.seek(SeekFrom::Start(self.from.offset))?;
        let mut reader = BufReader::with_capacity(64 << 10, file).take(self.end - self.from.offset);
        let (mut lines, mut line, mut seq) = (Vec::new(), Vec::new(), self.from.after);
        while lines.len() < limit && reader.read_until(b'\n', &mut line)? > 0 {
            seq += 1;
            if seq > after
                && let Ok(line) = serde_json::from_slice(&line)
            {
                lines.push(OutputLine { seq, ..line });
            }
            line.clear();
        }
        Ok(lines)
    }
}

fn encode(line: &OutputLine, into: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *into, line)?;
    into.push(b'\n');
    Ok(())
}

fn is_end(line: &OutputLine) -> bool {
    line.stream == OutputStream::System && line.text.starts_with(TRUNCATED)
}
