use crate::reference::{RefNameError, check_format};
use crate::text::text;

text! {
    /// The short name of a branch, such as `main` or `feature/login`.
    BranchName, RefNameError, check
}

impl BranchName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 250;

    /// `main`, the branch of every repository that we create.
    pub fn main() -> Self {
        Self("main".to_owned())
    }
}

fn check(text: String) -> Result<String, RefNameError> {
    check_format(&text, BranchName::MAX_BYTES)?;
    if text == "HEAD" {
        return Err(RefNameError::Reserved("HEAD"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_branches_are_accepted() {
        for text in ["main", "feature/login", "v1.2", "übung", "a-b_c", "user@host"] {
            assert!(text.parse::<BranchName>().is_ok(), "{text:?}");
        }
        assert!("b".repeat(250).parse::<BranchName>().is_ok());
    }

    #[test]
    fn what_git_or_a_command_line_would_misread_is_refused_with_its_rule() {
        for (text, why) in [
            ("", RefNameError::Empty),
            ("-x", RefNameError::LeadingDash),
            ("--orphan=x", RefNameError::LeadingDash),
            ("--upload-pack=x", RefNameError::LeadingDash),
            ("a..b", RefNameError::DotDot),
            ("a\nb", RefNameError::Control),
            ("a\0b", RefNameError::Control),
            ("a\u{85}b", RefNameError::Control),
            ("a b", RefNameError::Character(' ')),
            ("a\\b", RefNameError::Character('\\')),
            ("+a:b", RefNameError::Character(':')),
            ("x.lock", RefNameError::Lock),
            ("x.lock/y", RefNameError::Lock),
            (".x", RefNameError::LeadingDot),
            ("a/.x", RefNameError::LeadingDot),
            ("x.", RefNameError::TrailingDot),
            ("/x", RefNameError::EmptyComponent),
            ("x/", RefNameError::EmptyComponent),
            ("x//y", RefNameError::EmptyComponent),
            ("a@{1}", RefNameError::AtBrace),
            ("@", RefNameError::Reserved("@")),
            ("HEAD", RefNameError::Reserved("HEAD")),
        ] {
            assert_eq!(text.parse::<BranchName>(), Err(why), "{text:?}");
        }
        let huge = "x".repeat(300_000);
        assert_eq!(huge.parse::<BranchName>(), Err(RefNameError::TooLong { max: 250, actual: 300_000 }));
    }
}
