use crate::text::text;

/// Why a text is not a path inside a workspace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelativePathError {
    /// Nothing at all.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`RelativePath::MAX_BYTES`].
    #[error("must have at most {max} bytes, not {0}", max = RelativePath::MAX_BYTES)]
    TooLong(usize),
    /// One component longer than a file system can hold.
    #[error("no component may have more than 255 bytes")]
    ComponentTooLong,
    /// Starts with `/`.
    #[error("must be relative to the workspace")]
    Absolute,
    /// A newline, a NUL, an escape, ...
    #[error("must not contain control characters")]
    Control,
    /// `a//b`, or a slash at the end.
    #[error("must not have an empty component")]
    EmptyComponent,
    /// A `.` component other than a leading `./`.
    #[error("must not have a `.` component")]
    CurrentDirectory,
    /// A `..` component.
    #[error("must not have a `..` component")]
    ParentDirectory,
    /// A component that some file system takes for `.git`.
    #[error("must not reach into a `.git` directory")]
    GitDirectory,
}

text! {
    /// A path inside a workspace: relative, without `..`, `.git` or control characters.
    ///
    /// A leading `./` is dropped, so equal paths have equal text.
    RelativePath, RelativePathError, check
}

impl RelativePath {
    /// The longest path, in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// Its components, from the root of the workspace.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

fn check(text: String) -> Result<String, RelativePathError> {
    if text.is_empty() {
        return Err(RelativePathError::Empty);
    }
    if text.len() > RelativePath::MAX_BYTES {
        return Err(RelativePathError::TooLong(text.len()));
    }
    if text.starts_with('/') {
        return Err(RelativePathError::Absolute);
    }
    if text.chars().any(char::is_control) {
        return Err(RelativePathError::Control);
    }
    let path = text.strip_prefix("./").unwrap_or(&text);
    path.split('/').try_for_each(check_component)?;
    if path.len() == text.len() { Ok(text) } else { Ok(path.to_owned()) }
}

fn check_component(component: &str) -> Result<(), RelativePathError> {
    match component {
        "" => Err(RelativePathError::EmptyComponent),
        "." => Err(RelativePathError::CurrentDirectory),
        ".." => Err(RelativePathError::ParentDirectory),
        long if long.len() > 255 => Err(RelativePathError::ComponentTooLong),
        // NTFS drops trailing dots and spaces, and calls `.git` also `git~1`.
        name => match name.trim_end_matches(['.', ' ']).to_ascii_lowercase().as_str() {
            ".git" | "git~1" => Err(RelativePathError::GitDirectory),
            _ => Ok(()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_inside_the_workspace_are_accepted() {
        for text in [
            "src/main.rs",
            "a",
            ".gitignore",
            ".github/workflows/ci.yml",
            "-dash",
            "with space.txt",
            "日本語",
            "a..b",
        ] {
            assert_eq!(text.parse::<RelativePath>().map(String::from), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_leading_dot_slash_is_dropped() {
        assert_eq!("./src/main.rs".parse::<RelativePath>(), "src/main.rs".parse::<RelativePath>());
    }

    #[test]
    fn what_would_leave_the_workspace_is_refused_with_its_rule() {
        for (text, why) in [
            ("", RelativePathError::Empty),
            ("/etc/passwd", RelativePathError::Absolute),
            ("..", RelativePathError::ParentDirectory),
            ("../x", RelativePathError::ParentDirectory),
            ("a/../../x", RelativePathError::ParentDirectory),
            ("./../x", RelativePathError::ParentDirectory),
            (".", RelativePathError::CurrentDirectory),
            ("a/./b", RelativePathError::CurrentDirectory),
            ("./", RelativePathError::EmptyComponent),
            (".//etc/passwd", RelativePathError::EmptyComponent),
            ("a//b", RelativePathError::EmptyComponent),
            ("a/", RelativePathError::EmptyComponent),
            ("a\nb", RelativePathError::Control),
            ("a\0b", RelativePathError::Control),
            ("a\u{1b}[31m", RelativePathError::Control),
            (".git/config", RelativePathError::GitDirectory),
            ("sub/.GIT/hooks/x", RelativePathError::GitDirectory),
            (".git. /x", RelativePathError::GitDirectory),
            ("GIT~1/x", RelativePathError::GitDirectory),
        ] {
            assert_eq!(text.parse::<RelativePath>(), Err(why), "{text:?}");
        }
        let long = "a/".repeat(2048) + "a";
        assert_eq!(long.parse::<RelativePath>(), Err(RelativePathError::TooLong(4097)));
        assert_eq!("a".repeat(256).parse::<RelativePath>(), Err(RelativePathError::ComponentTooLong));
    }

    #[test]
    fn json_is_a_plain_string_and_is_checked_on_the_way_in() {
        let path: RelativePath = serde_json::from_str(r#""./a/b""#).unwrap();
        assert_eq!(serde_json::to_string(&path).unwrap(), r#""a/b""#);
        let error = serde_json::from_str::<RelativePath>(r#""../b""#).unwrap_err();
        assert!(error.to_string().contains("`..`"), "{error}");
    }
}
