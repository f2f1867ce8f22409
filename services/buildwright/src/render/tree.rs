//! A tree of files.

use super::{amounts, text::clean};
use crate::client::wire::FileEntry;
use std::collections::BTreeMap;

/// Most lines of a tree.
const MOST: usize = 60;

#[derive(Default)]
struct Folder<'a> {
    folders: BTreeMap<&'a str, Folder<'a>>,
    files: BTreeMap<&'a str, u64>,
}

/// The files as a tree, one line an entry, cut where nobody reads on.
pub(crate) fn tree(files: &[FileEntry]) -> Vec<String> {
    let mut root = Folder::default();
    for file in files {
        let mut folder = &mut root;
        let mut parts = file.path.split('/').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                folder.files.insert(part, file.size);
            } else {
                folder = folder.folders.entry(part).or_default();
            }
        }
    }
    let mut lines = Vec::new();
    draw(&root, "", &mut lines);
    let more = lines.len().saturating_sub(MOST);
    if more > 0 {
        lines.truncate(MOST);
        lines.push(format!("… and {more} more lines"));
    }
    lines
}

fn draw(folder: &Folder<'_>, indent: &str, lines: &mut Vec<String>) {
    let mut left = folder.folders.len() + folder.files.len();
    let mut branch = |name: &str, rest: &str, lines: &mut Vec<String>| {
        left -= 1;
        let (corner, below) = if left == 0 { ("└── ", "    ") } else { ("├── ", "│   ") };
        lines.push(format!("{indent}{corner}{}{rest}", clean(name)));
        format!("{indent}{below}")
    };
    for (name, inner) in &folder.folders {
        let indent = branch(name, "/", lines);
        draw(inner, &indent, lines);
    }
    for (name, size) in &folder.files {
        branch(name, &format!("  {}", amounts::bytes(*size)), lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> FileEntry {
        FileEntry { path: path.to_owned(), size: 5 }
    }

    #[test]
    fn folders_come_first_and_every_entry_hangs_somewhere() {
        let files = ["todo.sh", "lib/store.sh", "lib/deep/a", "README.md"].map(file);
        assert_eq!(
            tree(&files),
            [
                "├── lib/",
                "│   ├── deep/",
                "│   │   └── a  5 B",
                "│   └── store.sh  5 B",
                "├── README.md  5 B",
                "└── todo.sh  5 B",
            ]
        );
        assert!(tree(&[]).is_empty());
    }

    #[test]
    fn a_file_name_cannot_drive_the_terminal() {
        assert_eq!(tree(&[file("a\u{1b}[2Jb\nc")]), ["└── ab c  5 B"]);
    }

    #[test]
    fn a_large_tree_is_cut() {
        let files: Vec<FileEntry> = (0..1_000).map(|n| file(&format!("f{n}"))).collect();
        let lines = tree(&files);
        assert_eq!(lines.len(), MOST + 1);
        assert_eq!(lines[MOST], "… and 940 more lines");
    }
}
