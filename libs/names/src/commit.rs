use crate::text::text;

/// Why a text is not a commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Neither SHA-1 (40) nor SHA-256 (64) long.
    #[error("a commit id has 40 or 64 hexadecimal digits, not {0} bytes")]
    Length(usize),
    /// Something other than `0-9a-f`.
    #[error("a commit id has lower-case hexadecimal digits only")]
    Digit,
    /// All zeros: git's way of writing "no such object".
    #[error("the null id names no commit")]
    Null,
}

text! {
    /// The full id of a commit: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits.
    Commit, CommitError, check
}

fn check(text: String) -> Result<String, CommitError> {
    if text.len() != 40 && text.len() != 64 {
        return Err(CommitError::Length(text.len()));
    }
    if !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
        return Err(CommitError::Digit);
    }
    if text.bytes().all(|b| b == b'0') {
        return Err(CommitError::Null);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_ids_are_accepted_and_everything_else_says_why_not() {
        let sha1 = "0123456789abcdef0123456789abcdef01234567";
        let sha256 = "a".repeat(64);
        assert_eq!(sha1.parse::<Commit>().map(String::from), Ok(sha1.to_owned()));
        assert!(sha256.parse::<Commit>().is_ok());

        for (text, why) in [
            (String::new(), CommitError::Length(0)),
            ("HEAD".to_owned(), CommitError::Length(4)),
            (sha1[..39].to_owned(), CommitError::Length(39)),
            (sha1.to_uppercase(), CommitError::Digit),
            (format!("--{}", &sha1[2..]), CommitError::Digit),
            ("0".repeat(40), CommitError::Null),
        ] {
            assert_eq!(text.parse::<Commit>(), Err(why), "{text:?}");
        }
    }
}
