use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// What a principal may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Look at builds and all that belongs to them.
    BuildsRead,
    /// Submit and cancel builds.
    BuildsWrite,
    /// Approve plans.
    PlansApprove,
    /// Manage webhook endpoints.
    WebhooksManage,
    /// Read who did what.
    AuditRead,
    /// Everything, and what concerns the installation as a whole.
    Admin,
}

/// Why a text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be one of builds:read, builds:write, plans:approve, webhooks:manage, audit:read and admin")]
pub struct ScopeError;

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::BuildsRead,
        Self::BuildsWrite,
        Self::PlansApprove,
        Self::WebhooksManage,
        Self::AuditRead,
        Self::Admin,
    ];

    /// As clients write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BuildsRead => "builds:read",
            Self::BuildsWrite => "builds:write",
            Self::PlansApprove => "plans:approve",
            Self::WebhooksManage => "webhooks:manage",
            Self::AuditRead => "audit:read",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(ScopeError)
    }
}

impl TryFrom<String> for Scope {
    type Error = ScopeError;

    fn try_from(text: String) -> Result<Self, ScopeError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.as_str().to_owned()
    }
}

/// A set of scopes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether what needs this scope is allowed; [`Scope::Admin`] allows everything.
    #[must_use]
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes as they were given, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

/// Separated by spaces, as in `WWW-Authenticate`.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::as_str).collect();
        f.write_str(&names.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_back_what_it_prints() {
        for scope in Scope::ALL {
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["", "builds", "Admin", "builds:read "] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError), "{text}");
        }
    }

    #[test]
    fn a_set_allows_what_is_in_it_and_admin_allows_everything() {
        let reads: Scopes = [Scope::BuildsRead, Scope::AuditRead].into_iter().collect();
        for scope in Scope::ALL {
            let within = matches!(scope, Scope::BuildsRead | Scope::AuditRead);
            assert_eq!(reads.allow(scope), within, "{scope}");
            assert!(Scopes::from_iter([Scope::Admin]).allow(scope), "{scope}");
            assert!(!Scopes::default().allow(scope), "{scope}");
        }
        assert_eq!(reads.to_string(), "builds:read audit:read");
    }
}
