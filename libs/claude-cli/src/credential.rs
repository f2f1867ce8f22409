//! What the CLI authenticates with.

use std::ffi::OsString;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};

/// What the CLI authenticates with. Never shown by `Debug`, never in an argument list.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A key for the Messages API or for anything compatible with it.
    ApiKey {
        /// The key.
        key: SecretString,
        /// Where the API is; `None` for the CLI's default.
        base_url: Option<String>,
    },
    /// A long-lived token of an account (`claude setup-token`).
    OAuthToken {
        /// The token.
        token: SecretString,
        /// Where the API is; `None` for the CLI's default.
        base_url: Option<String>,
    },
    /// The login that the CLI keeps in its own configuration directory.
    ///
    /// It is copied, and a run that refreshes it does so in its copy only.
    Login {
        /// That directory, usually `~/.claude`.
        config_dir: PathBuf,
    },
}

impl Credential {
    pub(crate) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let (name, secret, base_url) = match self {
            Self::ApiKey { key, base_url } => ("ANTHROPIC_API_KEY", key, base_url),
            Self::OAuthToken { token, base_url } => ("CLAUDE_CODE_OAUTH_TOKEN", token, base_url),
            Self::Login { .. } => return Vec::new(),
        };
        let mut variables = vec![(name, secret.expose_secret().into())];
        if let Some(url) = base_url {
            variables.push(("ANTHROPIC_BASE_URL", url.into()));
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_secret() {
        let key = Credential::ApiKey { key: "hunter2".into(), base_url: Some("http://api".into()) };
        let token = Credential::OAuthToken { token: "hunter2".into(), base_url: None };
        for credential in [key, token] {
            assert!(!format!("{credential:?}").contains("hunter2"));
        }
    }
}
