use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use names::{Commit, RefName};

use super::repositories::Project;
use super::source::TOLERATED;
use crate::error::{GitError, blocking};

/// The header of a bundle of ours has three lines; this is generous.
const HEADER_LIMIT: u64 = 64 << 10;
/// As git does on fetching: fewer objects than this become loose ones, more stay a pack.
const UNPACK_LIMIT: u32 = 100;

/// Why a bundle was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("the bundle cannot be read")]
    Read(#[source] std::io::Error),
    /// It is larger than allowed.
    #[error("the bundle has {bytes} bytes, more than {max}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// It is not what `git help format-bundle` describes.
    #[error("not a git bundle: {0}")]
    Malformed(&'static str),
    /// It does not hold the commit it was announced with.
    #[error("the bundle does not hold commit {0}")]
    OtherCommit(Commit),
    /// It builds on a commit that this repository lacks.
    #[error("the bundle builds on commit {0}, which is not here")]
    MissingPrerequisite(Commit),
    /// Git failed, or refused the content (`fsck`).
    #[error(transparent)]
    Git(#[from] GitError),
}

struct Header {
    prerequisites: Vec<Commit>,
    tips: Vec<Commit>,
    objects: u32,
}

impl Project {
    /// Takes in a bundle that must hold the commit `expected`, checks every object in it as git does on
    /// receiving, and points `name` at the commit. Repeating it is safe, and so is doing it concurrently.
    ///
    /// `max_bytes` bounds the size of the bundle.
    pub async fn import(
        &self,
        bundle: &Path,
        expected: &Commit,
        name: &RefName,
        max_bytes: u64,
    ) -> Result<(), ImportError> {
        let path = bundle.to_owned();
        let (header, pack) = blocking(move || open(&path, max_bytes)).await?;
        if !header.tips.contains(expected) {
            return Err(ImportError::OtherCommit(expected.clone()));
        }
        let mut wanted = vec![expected];
        wanted.extend(&header.prerequisites);
        let present = self.present(&wanted).await?;
        if !present.contains(&expected) {
            let missing = wanted.iter().skip(1).find(|commit| !present.contains(commit));
            if let Some(&missing) = missing {
                return Err(ImportError::MissingPrerequisite(missing.clone()));
            }
            self.unpack(pack, header.objects, max_bytes).await?;
            if self.present(&[expected]).await?.is_empty() {
                return Err(ImportError::OtherCommit(expected.clone()));
            }
        }
        Ok(self.set_ref(name, expected, None).await?)
    }

    /// Both ways write an object after those it refers to (or all at once, as a pack): a commit that is
    /// here is here completely, even after a crash.
    async fn unpack(&self, pack: File, objects: u32, max_bytes: u64) -> Result<(), GitError> {
        let max = format!("--max-input-size={max_bytes}");
        let tolerated = TOLERATED.map(|fault| format!("{fault}=warn")).join(",");
        let strict = format!("--strict={tolerated}");
        let unpack = if objects < UNPACK_LIMIT {
            self.run("unpack-objects").args(["-q", &strict, &max])
        } else {
            self.run("index-pack").args(["--stdin", "--fix-thin", &strict, &max])
        };
        unpack.of_histories().input_file(pack).stdout().await.map(drop)
    }

    /// Which of the commits are here.
    pub(super) async fn present<'a>(&self, commits: &[&'a Commit]) -> Result<Vec<&'a Commit>, GitError> {
        let input: String = commits.iter().map(|commit| format!("{commit}\n")).collect();
        let lines = self
            .run("cat-file")
            .arg("--batch-check=%(objectname) %(objecttype)")
            .input(input)
            .stdout()
            .await?;
        let lines = String::from_utf8_lossy(&lines);
        let is_here = |commit: &&Commit| lines.lines().any(|line| line == format!("{commit} commit"));
        Ok(commits.iter().copied().filter(is_here).collect())
    }
}

/// Reads the header and leaves the file at the pack.
fn open(path: &Path, max: u64) -> Result<(Header, File), ImportError> {
    let mut file = File::open(path).map_err(ImportError::Read)?;
    let bytes = file.metadata().map_err(ImportError::Read)?.len();
    if bytes > max {
        return Err(ImportError::TooLarge { bytes, max });
    }
    let mut reader = BufReader::new((&mut file).take(HEADER_LIMIT));
    let (mut header, length) = read_header(&mut reader)?;
    let mut pack = [0; 12];
    reader.read_exact(&mut pack).map_err(|_| ImportError::Malformed("it has no pack"))?;
    let [b'P', b'A', b'C', b'K', _, _, _, _, count @ ..] = pack else {
        return Err(ImportError::Malformed("it has no pack"));
    };
    header.objects = u32::from_be_bytes(count);
    file.seek(SeekFrom::Start(length)).map_err(ImportError::Read)?;
    Ok((header, file))
}

fn read_header(reader: &mut impl BufRead) -> Result<(Header, u64), ImportError> {
    let mut header = Header { prerequisites: Vec::new(), tips: Vec::new(), objects: 0 };
    let mut length = 0;
    let mut first = true;
    loop {
        let mut line = Vec::new();
        length += reader.read_until(b'\n', &mut line).map_err(ImportError::Read)? as u64;
        let Some((b'\n', line)) = line.split_last() else {
            return Err(ImportError::Malformed("its header does not end"));
        };
        let line = std::str::from_utf8(line).map_err(|_| ImportError::Malformed("its header is not text"))?;
        match line {
            "# v2 git bundle" if first => {}
            _ if first => return Err(ImportError::Malformed("it is not of version 2")),
            "" => return Ok((header, length)),
            line => match line.strip_prefix('-') {
                Some(prerequisite) => header.prerequisites.push(leading_commit(prerequisite)?),
                None => header.tips.push(leading_commit(line)?),
            },
        }
        first = false;
    }
}

fn leading_commit(line: &str) -> Result<Commit, ImportError> {
    let id = line.split(' ').next().unwrap_or_default();
    id.parse().map_err(|_| ImportError::Malformed("its header has a line without an object id"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(bytes: &[u8]) -> String {
        match read_header(&mut &bytes[..]) {
            Ok(_) => "fine".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_header_is_read_up_to_the_pack() {
        let (base, tip) = ("a".repeat(40), "b".repeat(40));
        let text = format!("# v2 git bundle\n-{base} a subject\n{tip} refs/heads/result\n\nPACK");
        let (header, length) = read_header(&mut text.as_bytes()).unwrap();
        assert_eq!(header.prerequisites, [base.parse().unwrap()]);
        assert_eq!(header.tips, [tip.parse().unwrap()]);
        assert_eq!(&text[usize::try_from(length).unwrap()..], "PACK");
    }

    #[test]
    fn a_damaged_header_says_what_is_wrong() {
        assert_eq!(why(b""), "not a git bundle: its header does not end");
        assert_eq!(why(b"# v2 git bundle\n"), "not a git bundle: its header does not end");
        assert_eq!(why(b"# v3 git bundle\n\n"), "not a git bundle: it is not of version 2");
        assert_eq!(why(b"#!/bin/sh\n\n"), "not a git bundle: it is not of version 2");
        assert_eq!(
            why(b"# v2 git bundle\nHEAD\n\n"),
            "not a git bundle: its header has a line without an object id"
        );
        assert_eq!(why(b"# v2 git bundle\n\xff\n\n"), "not a git bundle: its header is not text");
    }
}
