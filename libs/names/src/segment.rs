use crate::text::text;

/// Why a text cannot be a [`Segment`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Nothing at all.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`Segment::MAX_BYTES`].
    #[error("must have at most {max} bytes, not {0}", max = Segment::MAX_BYTES)]
    TooLong(usize),
    /// First byte is not an ASCII letter or digit.
    #[error("must start with an ASCII letter or digit")]
    Start,
    /// A byte outside the allowed set.
    #[error("may hold ASCII letters, digits, `.`, `_` and `-` only")]
    Character,
    /// `..` anywhere: git refuses it in refs.
    #[error("must not contain `..`")]
    DotDot,
    /// Ends in `.`, `.lock` or `.git`, which git reserves.
    #[error("must not end in `.`, `.lock` or `.git`")]
    Ending,
}

text! {
    /// One component of a directory or a ref, such as the id of a build or of an attempt.
    ///
    /// `[A-Za-z0-9][A-Za-z0-9._-]*`, at most 128 bytes, so it is one safe component everywhere.
    Segment, SegmentError, check
}

impl Segment {
    /// The longest segment, in bytes.
    pub const MAX_BYTES: usize = 128;
}

pub(crate) fn check(text: String) -> Result<String, SegmentError> {
    let first = text.bytes().next().ok_or(SegmentError::Empty)?;
    if text.len() > Segment::MAX_BYTES {
        return Err(SegmentError::TooLong(text.len()));
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-')) {
        return Err(SegmentError::Character);
    }
    if !first.is_ascii_alphanumeric() {
        return Err(SegmentError::Start);
    }
    if text.contains("..") {
        return Err(SegmentError::DotDot);
    }
    let lower = text.to_ascii_lowercase();
    if [".", ".lock", ".git"].iter().any(|end| lower.ends_with(end)) {
        return Err(SegmentError::Ending);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_safe_component() {
        for text in ["bld_01JD8ZK3M4", "a", "1", "build.2-x", "task-3.attempt-1"] {
            assert!(text.parse::<Segment>().is_ok(), "{text:?}");
        }
        for (text, why) in [
            ("", SegmentError::Empty),
            (".", SegmentError::Start),
            ("..", SegmentError::Start),
            ("-x", SegmentError::Start),
            (".git", SegmentError::Start),
            ("a/b", SegmentError::Character),
            ("a\nb", SegmentError::Character),
            ("é", SegmentError::Character),
            ("a..b", SegmentError::DotDot),
            ("a.lock", SegmentError::Ending),
            ("a.GIT", SegmentError::Ending),
            ("a.", SegmentError::Ending),
        ] {
            assert_eq!(text.parse::<Segment>(), Err(why), "{text:?}");
        }
        assert_eq!("a".repeat(129).parse::<Segment>(), Err(SegmentError::TooLong(129)));
    }
}
