use crate::fleet::TenantName;
use crate::segment::{self, SegmentError};
use crate::text::text;
use std::fmt;

/// Why a text cannot be a [`ProjectName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProjectNameError {
    /// Longer than [`ProjectName::MAX_BYTES`].
    #[error("must have at most {max} bytes, not {0}", max = ProjectName::MAX_BYTES)]
    TooLong(usize),
    /// Two projects must not differ in case only: some file systems would make them one.
    #[error("must be lower case")]
    UpperCase,
    /// Breaks a rule of every path segment.
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

text! {
    /// The name of a project, which is also the name of its repository.
    ///
    /// `[a-z0-9][a-z0-9._-]{0,62}`, without `..` and not ending in `.`, `.lock` or `.git`.
    ProjectName, ProjectNameError, check
}

impl ProjectName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 63;
}

fn check(text: String) -> Result<String, ProjectNameError> {
    if text.len() > ProjectName::MAX_BYTES {
        return Err(ProjectNameError::TooLong(text.len()));
    }
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(ProjectNameError::UpperCase);
    }
    Ok(segment::check(text)?)
}

/// A project of a tenant: two tenants can have projects of the same name, and share nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OwnedProject {
    /// Whose.
    pub tenant: TenantName,
    /// Its name.
    pub name: ProjectName,
}

impl From<ProjectName> for OwnedProject {
    /// The default tenant's.
    fn from(name: ProjectName) -> Self {
        Self { tenant: TenantName::default(), name }
    }
}

/// `shop` for the default tenant, `acme~shop` for another: no project's name holds a `~`.
impl fmt::Display for OwnedProject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tenant != TenantName::default() {
            write!(f, "{}~", self.tenant)?;
        }
        self.name.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_name_is_a_short_lower_case_slug() {
        for text in ["shop", "a", "0", "my-shop.v2_final"] {
            assert!(text.parse::<ProjectName>().is_ok(), "{text:?}");
        }
        assert!("a".repeat(63).parse::<ProjectName>().is_ok());
        for (text, why) in [
            ("a".repeat(64).as_str(), ProjectNameError::TooLong(64)),
            ("Shop", ProjectNameError::UpperCase),
            ("", SegmentError::Empty.into()),
            ("../x", SegmentError::Character.into()),
            ("..", SegmentError::Start.into()),
            ("x.lock", SegmentError::Ending.into()),
            ("x.git", SegmentError::Ending.into()),
            ("-rf", SegmentError::Start.into()),
        ] {
            assert_eq!(text.parse::<ProjectName>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn projects_of_two_tenants_never_have_one_name() {
        let shop: ProjectName = "shop".parse().unwrap();
        let acme = OwnedProject { tenant: "acme".parse().unwrap(), name: shop.clone() };
        assert_eq!(OwnedProject::from(shop).to_string(), "shop");
        assert_eq!(acme.to_string(), "acme~shop");
        assert!("acme~shop".parse::<ProjectName>().is_err());
    }
}
