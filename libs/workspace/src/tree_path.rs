use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path as git stores it: any bytes but NUL, `/` between components.
///
/// Its text form (display, serde) is the path itself where that is printable UTF-8; a backslash is doubled,
/// and control characters and invalid bytes become `\xNN`, so different paths never look the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TreePath(Vec<u8>);

impl TreePath {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    /// The path, byte for byte.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The path as the file system takes it, relative to the root of the tree.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }

    /// Whether git would refuse it because some component could be taken for `.git`.
    pub(crate) fn reaches_into_git(&self) -> bool {
        self.0.split(|b| matches!(b, b'/' | b'\\')).any(|component| {
            let end = component.iter().rposition(|b| !matches!(b, b'.' | b' ')).map_or(0, |last| last + 1);
            component[..end].eq_ignore_ascii_case(b".git") || component[..end].eq_ignore_ascii_case(b"git~1")
        })
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    c if c.is_control() => {
                        c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
                    }
                    c => fmt::Write::write_char(f, c)?,
                }
            }
            chunk.invalid().iter().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
        }
        Ok(())
    }
}

/// The text is not a path in the form that [`TreePath`] displays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a backslash must be followed by another one or by `x` and two hexadecimal digits")]
pub struct TreePathError;

impl FromStr for TreePath {
    type Err = TreePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            if first != b'\\' {
                bytes.push(first);
                continue;
            }
            match rest {
                [b'\\', after @ ..] => {
                    bytes.push(b'\\');
                    rest = after;
                }
                [b'x', high, low, after @ ..] => {
                    let mut byte = [0];
                    hex::decode_to_slice([*high, *low], &mut byte).map_err(|_| TreePathError)?;
                    bytes.extend(byte);
                    rest = after;
                }
                _ => return Err(TreePathError),
            }
        }
        Ok(Self(bytes))
    }
}

impl Serialize for TreePath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TreePath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_bytes_survive_the_text_form_and_no_two_paths_share_one() {
        for (bytes, text) in [
            (&b"src/main.rs"[..], "src/main.rs"),
            ("déjà vu".as_bytes(), "déjà vu"),
            (b"-rf", "-rf"),
            (b"two\nlines", "two\\x0alines"),
            (b"esc\x1b[31m", "esc\\x1b[31m"),
            (b"bad\xff\xfe", "bad\\xff\\xfe"),
            (b"back\\slash", "back\\\\slash"),
            (b"\\xff", "\\\\xff"),
            ("c1\u{85}".as_bytes(), "c1\\xc2\\x85"),
        ] {
            let path = TreePath::new(bytes);
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
        assert_eq!("a\\q".parse::<TreePath>(), Err(TreePathError));
    }

    #[test]
    fn what_a_file_system_takes_for_git_is_recognised() {
        for bytes in [&b".GIT/config"[..], b"a/.git", b".git. /x", b"GIT~1", b"a\\.git\\x"] {
            assert!(TreePath::new(bytes).reaches_into_git(), "{bytes:?}");
        }
        for bytes in [&b".gitignore"[..], b"git", b".github/x", b"..."] {
            assert!(!TreePath::new(bytes).reaches_into_git(), "{bytes:?}");
        }
    }
}
