use crate::segment::Segment;
use crate::text::text;

/// Why a text is not a ref or branch name, by the rules of `git check-ref-format`, which are a little
/// tightened: no leading dash, no control characters beyond ASCII either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefNameError {
    /// Nothing at all.
    #[error("must not be empty")]
    Empty,
    /// More bytes than allowed.
    #[error("must have at most {max} bytes, not {actual}")]
    TooLong {
        /// The bound, in bytes.
        max: usize,
        /// What was given, in bytes.
        actual: usize,
    },
    /// A leading dash, which a command line would take for an option.
    #[error("must not start with `-`")]
    LeadingDash,
    /// A control character (newline, NUL, escape, ...).
    #[error("must not contain control characters")]
    Control,
    /// A space or one of `~ ^ : ? * [ \`.
    #[error("must not contain {0:?}")]
    Character(char),
    /// `..`
    #[error("must not contain `..`")]
    DotDot,
    /// `@{`
    #[error("must not contain `@{{`")]
    AtBrace,
    /// A slash at the start or the end, or two in a row.
    #[error("must not have an empty component")]
    EmptyComponent,
    /// A component that starts with a dot.
    #[error("no component may start with `.`")]
    LeadingDot,
    /// A dot at the very end.
    #[error("must not end in `.`")]
    TrailingDot,
    /// A component that ends in `.lock`.
    #[error("no component may end in `.lock`")]
    Lock,
    /// `@` or `HEAD`, which mean something else to git.
    #[error("`{0}` is reserved by git")]
    Reserved(&'static str),
    /// A full ref name that does not begin with `refs/`.
    #[error("must start with `refs/`")]
    NotUnderRefs,
}

text! {
    /// The full name of a ref, such as `refs/builds/bld_01JD/tasks/3`.
    RefName, RefNameError, check
}

impl RefName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 400;

    /// What the names of refs of single fetches begin with.
    pub const FETCHES: &str = "refs/fetches";

    /// Where the result of a build is kept: `refs/builds/<build>/result`.
    pub fn of_build(build: &Segment) -> Self {
        Self(format!("refs/builds/{build}/result"))
    }

    /// Where the result of a task is kept: `refs/builds/<build>/tasks/<task>`.
    pub fn of_task(build: &Segment, task: &Segment) -> Self {
        Self(format!("refs/builds/{build}/tasks/{task}"))
    }

    /// Where a commit is kept that others can have from us or that we have from others: `refs/shared/<commit>`.
    pub fn of_shared(commit: &crate::Commit) -> Self {
        Self(format!("refs/shared/{commit}"))
    }

    /// Where one fetch of one process puts what it brings: `refs/fetches/<process>-<number>`.
    pub fn of_fetch(process: u32, number: u64) -> Self {
        Self(format!("{}/{process}-{number}", Self::FETCHES))
    }

    /// Where what was fetched from elsewhere is kept: `refs/sources/<digest>`, the digest being that of the
    /// source's URL and branch.
    pub fn of_source(digest: [u8; 32]) -> Self {
        let digits = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hex = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        Self(hex.fold("refs/sources/".to_owned(), |name, digit| name + digit.encode_utf8(&mut [0; 4])))
    }
}

impl From<&crate::BranchName> for RefName {
    fn from(branch: &crate::BranchName) -> Self {
        Self(format!("refs/heads/{branch}"))
    }
}

fn check(text: String) -> Result<String, RefNameError> {
    check_format(&text, RefName::MAX_BYTES)?;
    match text.strip_prefix("refs/") {
        Some(_) => Ok(text),
        None => Err(RefNameError::NotUnderRefs),
    }
}

/// The rules that branches and full ref names share.
pub(crate) fn check_format(text: &str, max: usize) -> Result<(), RefNameError> {
    if text.is_empty() {
        return Err(RefNameError::Empty);
    }
    if text.len() > max {
        return Err(RefNameError::TooLong { max, actual: text.len() });
    }
    if text.starts_with('-') {
        return Err(RefNameError::LeadingDash);
    }
    if text.chars().any(char::is_control) {
        return Err(RefNameError::Control);
    }
    if let Some(c) = text.chars().find(|c| matches!(c, ' ' | '~' | '^' | ':' | '?' | '*' | '[' | '\\')) {
        return Err(RefNameError::Character(c));
    }
    if text.contains("..") {
        return Err(RefNameError::DotDot);
    }
    if text.contains("@{") {
        return Err(RefNameError::AtBrace);
    }
    if text == "@" {
        return Err(RefNameError::Reserved("@"));
    }
    if text.ends_with('.') {
        return Err(RefNameError::TrailingDot);
    }
    text.split('/').try_for_each(check_component)
}

fn check_component(component: &str) -> Result<(), RefNameError> {
    if component.is_empty() {
        return Err(RefNameError::EmptyComponent);
    }
    // A file system holds 255 bytes in a name, and git appends `.lock`.
    if component.len() > 250 {
        return Err(RefNameError::TooLong { max: 250, actual: component.len() });
    }
    if component.starts_with('.') {
        return Err(RefNameError::LeadingDot);
    }
    if component.ends_with(".lock") {
        return Err(RefNameError::Lock);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_name_is_full_and_well_formed() {
        assert!("refs/builds/bld_1/tasks/1".parse::<RefName>().is_ok());
        for (text, why) in [
            ("", RefNameError::Empty),
            ("main", RefNameError::NotUnderRefs),
            ("HEAD", RefNameError::NotUnderRefs),
            ("refs", RefNameError::NotUnderRefs),
            ("refs/", RefNameError::EmptyComponent),
            ("refs//x", RefNameError::EmptyComponent),
            ("refs/a.lock/b", RefNameError::Lock),
            ("refs/.a", RefNameError::LeadingDot),
            ("refs/../x", RefNameError::DotDot),
            ("refs/a:refs/b", RefNameError::Character(':')),
            ("refs/*", RefNameError::Character('*')),
        ] {
            assert_eq!(text.parse::<RefName>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn the_refs_of_a_build_and_its_tasks_can_exist_side_by_side() {
        let build: Segment = "bld_1".parse().unwrap();
        let task: Segment = "7".parse().unwrap();
        let (result, task) = (RefName::of_build(&build), RefName::of_task(&build, &task));
        assert!(!task.as_str().starts_with(&format!("{result}/")), "a ref cannot be a directory too");
        assert!(check(result.into()).is_ok());
        assert!(check(task.into()).is_ok());
    }

    #[test]
    fn a_source_is_kept_under_its_digest_in_hexadecimal() {
        let name = RefName::of_source([0xaf; 32]);
        assert_eq!(name.as_str(), format!("refs/sources/{}", "af".repeat(32)));
    }
}
