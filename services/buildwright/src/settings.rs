//! What the environment of the process says. It is read here and nowhere else.

#![expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]

use claude_cli::Credential;
use secrecy::SecretString;
use std::{ffi::OsString, path::PathBuf};

/// Where programs are looked for.
pub(crate) fn search_path() -> OsString {
    std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into())
}

/// What commands, checks and agents inherit: where programs are and how text is written. No credentials.
pub(crate) fn command_environment() -> Vec<(OsString, OsString)> {
    let mut environment = vec![("PATH".into(), search_path())];
    environment.extend(std::env::vars_os().filter(|(name, _)| {
        let name = name.to_string_lossy();
        name == "LANG" || name == "TZ" || name.starts_with("LC_")
    }));
    environment
}

/// What git needs to reach a repository.
pub(crate) fn git_environment() -> Vec<(OsString, OsString)> {
    const WANTED: [&str; 8] = [
        "https_proxy",
        "HTTPS_PROXY",
        "http_proxy",
        "no_proxy",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "SSH_AUTH_SOCK",
    ];
    WANTED.iter().filter_map(|&name| Some((name.into(), std::env::var_os(name)?))).collect()
}

/// What the artifact store needs to know of S3: region and credentials.
pub(crate) fn s3_environment() -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with("AWS_")).collect()
}

/// The API key that commands speak to servers with. Not an argument: those are public.
pub(crate) fn api_key() -> Option<SecretString> {
    std::env::var("BUILDWRIGHT_API_KEY").ok().filter(|key| !key.trim().is_empty()).map(Into::into)
}

/// Where data is kept unless somebody says otherwise: `$XDG_DATA_HOME/buildwright`, or under the home folder.
pub(crate) fn default_data_dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".local/share")))
        .map_or_else(|| PathBuf::from(".buildwright"), |base| base.join("buildwright"))
}

/// The credential that the environment names: an API key, a token of `claude setup-token`, or the login of
/// the user's own CLI. `None` if there is none of them.
pub(crate) fn credential() -> Option<Credential> {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    if let Some(key) = text("ANTHROPIC_API_KEY") {
        return Some(Credential::ApiKey { key: key.into(), base_url: text("ANTHROPIC_BASE_URL") });
    }
    if let Some(token) = text("CLAUDE_CODE_OAUTH_TOKEN") {
        return Some(Credential::OAuthToken { token: token.into(), base_url: text("ANTHROPIC_BASE_URL") });
    }
    let config = std::env::var_os("CLAUDE_CONFIG_DIR")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".claude")))?;
    config.join(".credentials.json").is_file().then_some(Credential::Login { config_dir: config })
}

/// The keys that secrets are sealed with.
pub(crate) fn secret_key() -> Option<secrecy::SecretString> {
    let text = std::env::var("BUILDWRIGHT_SECRET_KEY").ok()?;
    (!text.trim().is_empty()).then(|| text.into())
}
