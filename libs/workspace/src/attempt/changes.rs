use crate::tree_path::TreePath;

/// A file that differs from the start commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub path: TreePath,
    /// How.
    pub kind: ChangeKind,
}

/// How a file differs. A renamed file was deleted and added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content or its executable bit differ.
    Modified,
    /// It is gone.
    Deleted,
    /// A file became a symbolic link, or the other way round.
    TypeChanged,
}

/// What `diff-index --raw -z` says of one file.
pub(super) struct RawChange {
    pub(super) change: Change,
    /// It is now a commit of another repository.
    pub(super) is_gitlink: bool,
}

/// Reads `:<mode> <mode> <id> <id> <status>NUL<path>NUL...`; `None` if it is something else.
pub(super) fn parse(raw: &[u8]) -> Option<Vec<RawChange>> {
    let mut fields = raw.split(|b| *b == 0);
    let mut changes = Vec::new();
    loop {
        let about = match fields.next() {
            None | Some(b"") => return Some(changes),
            Some(about) => std::str::from_utf8(about).ok()?.strip_prefix(':')?,
        };
        let mut about = about.split(' ');
        let (_, new_mode, status) = (about.next()?, about.next()?, about.nth(2)?);
        let kind = match status {
            "A" => ChangeKind::Added,
            "M" => ChangeKind::Modified,
            "D" => ChangeKind::Deleted,
            "T" => ChangeKind::TypeChanged,
            _ => return None,
        };
        let path = TreePath::new(fields.next()?);
        changes.push(RawChange { change: Change { path, kind }, is_gitlink: new_mode == "160000" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_changes_are_read_whatever_the_names() {
        let id = "a".repeat(40);
        let raw = format!(
            ":000000 100644 {id} {id} A\0new\nline\0:100644 000000 {id} {id} D\0-rf\0:100644 120000 {id} {id} T\0x\0\
             :000000 160000 {id} {id} A\0sub\0"
        );
        let changes = parse(raw.as_bytes()).unwrap();
        let seen: Vec<_> =
            changes.iter().map(|c| (c.change.path.to_string(), c.change.kind, c.is_gitlink)).collect();
        assert_eq!(
            seen,
            [
                ("new\\x0aline".to_owned(), ChangeKind::Added, false),
                ("-rf".to_owned(), ChangeKind::Deleted, false),
                ("x".to_owned(), ChangeKind::TypeChanged, false),
                ("sub".to_owned(), ChangeKind::Added, true),
            ]
        );
        assert!(parse(b"").unwrap().is_empty());
        assert!(parse(b"garbage\0").is_none());
    }
}
