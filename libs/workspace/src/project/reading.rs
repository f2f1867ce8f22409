//! What the HTTP API shows of a commit.

use chrono::{DateTime, Utc};
use names::{Commit, RelativePath};

use super::repositories::Project;
use crate::error::GitError;
use crate::process::Completeness;
use crate::tree_path::TreePath;

/// Room for the line that `cat-file --batch` writes before the content.
const BATCH_HEADER: usize = 200;

/// An entry of a commit's tree that is not a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it is.
    pub path: TreePath,
    /// Git's mode: `0o100644`, `0o100755`, `0o120000` (symbolic link) or `0o160000` (submodule).
    pub mode: u32,
    /// Its size in bytes; a submodule has none.
    pub size: Option<u64>,
    /// The id of its content, in hexadecimal.
    pub blob: String,
}

/// A unified diff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diff {
    /// The diff, in the encodings of the files.
    pub text: Vec<u8>,
    /// Whether it was cut (after a whole line) for being too long.
    pub truncated: bool,
}

/// What a file holds; for a symbolic link, its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileContent {
    /// The content, or its beginning.
    pub bytes: Vec<u8>,
    /// The size of the whole, in bytes.
    pub size: u64,
}

/// A commit, as a log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its id.
    pub commit: Commit,
    /// Those it builds on.
    pub parents: Vec<Commit>,
    /// Who wrote it.
    pub author: String,
    /// When it was committed, to the second.
    pub committed_at: DateTime<Utc>,
    /// The whole message, without trailing white space.
    pub message: String,
}

impl Project {
    /// All files of a commit, by path.
    pub async fn files(&self, commit: &Commit) -> Result<Vec<FileEntry>, GitError> {
        let command = "ls-tree";
        let list =
            self.run(command).args(["-r", "-z", "-l", "--full-tree", commit.as_str()]).stdout().await?;
        let entries = list.split(|b| *b == 0).filter(|entry| !entry.is_empty());
        let unexpected = GitError::Unexpected { command, what: "mode, type, id, size and path" };
        entries.map(file_entry).collect::<Option<_>>().ok_or(unexpected)
    }

    /// How many files differ between two commits.
    pub async fn changed_files(&self, base: &Commit, commit: &Commit) -> Result<usize, GitError> {
        let commits = [base.as_str(), commit.as_str()];
        let args = ["-r", "-z", "--name-only", "--no-renames", "--no-commit-id"];
        let names = self.run("diff-tree").args(args).args(commits).stdout().await?;
        Ok(names.split(|b| *b == 0).filter(|name| !name.is_empty()).count())
    }

    /// What changed from `base` to `commit`, up to `max_bytes`.
    pub async fn diff(&self, base: &Commit, commit: &Commit, max_bytes: usize) -> Result<Diff, GitError> {
        let args = ["-r", "-p", "-M", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color"];
        let commits = [base.as_str(), commit.as_str()];
        let (mut text, completeness) =
            self.run("diff-tree").args(args).args(commits).at_most(max_bytes).await?;
        let truncated = completeness == Completeness::Truncated;
        if truncated {
            text.truncate(text.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1));
        }
        Ok(Diff { text, truncated })
    }

    /// A file of a commit, up to `max_bytes` of it; `None` if there is no file at that path.
    ///
    /// Symbolic links are not followed.
    pub async fn read_file(
        &self,
        commit: &Commit,
        path: &RelativePath,
        max_bytes: usize,
    ) -> Result<Option<FileContent>, GitError> {
        let command = "cat-file";
        let (mut answer, _) = self
            .run(command)
            .arg("--batch=%(objecttype) %(objectsize)")
            .input(format!("{commit}:{path}\n"))
            .at_most(max_bytes.saturating_add(BATCH_HEADER))
            .await?;
        let unexpected = GitError::Unexpected { command, what: "a type and a size" };
        let Some(end) = answer.iter().position(|b| *b == b'\n') else {
            // Only an echo of a long path does not end within the limit.
            return if answer.is_empty() { Err(unexpected) } else { Ok(None) };
        };
        let Some(size) = answer[..end].strip_prefix(b"blob ") else { return Ok(None) };
        let size = parse(size).ok_or(unexpected)?;
        answer.drain(..=end);
        answer.truncate(usize::try_from(size).unwrap_or(usize::MAX).min(max_bytes));
        Ok(Some(FileContent { bytes: answer, size }))
    }

    /// The commits of `base..commit`, newest first, at most `limit`.
    pub async fn log(&self, base: &Commit, commit: &Commit, limit: usize) -> Result<Vec<LogEntry>, GitError> {
        let command = "log";
        let (count, without) = (format!("--max-count={limit}"), format!("^{base}"));
        let list = self
            .run(command)
            .args(["-z", "--topo-order", "--no-show-signature", "--no-color", "--encoding=UTF-8"])
            .args(["--format=tformat:%H%n%P%n%an%n%ct%n%B", &count, commit.as_str(), &without, "--"])
            .stdout()
            .await?;
        let entries = list.split(|b| *b == 0).filter(|entry| !entry.is_empty());
        let unexpected = GitError::Unexpected { command, what: "five fields" };
        entries.map(log_entry).collect::<Option<_>>().ok_or(unexpected)
    }
}

fn parse<T: std::str::FromStr>(bytes: &[u8]) -> Option<T> {
    std::str::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// `<mode> <type> <id> <size>\t<path>`
fn file_entry(entry: &[u8]) -> Option<FileEntry> {
    let tab = entry.iter().position(|b| *b == b'\t')?;
    let mut fields = std::str::from_utf8(&entry[..tab]).ok()?.split_ascii_whitespace();
    let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
    let (_, blob, size) = (fields.next()?, fields.next()?.to_owned(), fields.next()?);
    let size = if size == "-" { None } else { Some(size.parse().ok()?) };
    Some(FileEntry { path: TreePath::new(&entry[tab + 1..]), mode, size, blob })
}

fn log_entry(entry: &[u8]) -> Option<LogEntry> {
    let mut fields = entry.splitn(5, |b| *b == b'\n');
    let commit = parse(fields.next()?)?;
    let parents = String::from_utf8_lossy(fields.next()?).split_whitespace().map(str::parse).collect();
    let author = String::from_utf8_lossy(fields.next()?).into_owned();
    let committed_at = DateTime::from_timestamp(parse(fields.next()?)?, 0)?;
    let message = String::from_utf8_lossy(fields.next()?).trim_end().to_owned();
    Some(LogEntry { commit, parents: Result::ok(parents)?, author, committed_at, message })
}
