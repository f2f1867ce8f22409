use crate::text::text;

/// Why a text is not the URL of a source repository. No message repeats the text: it may hold a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RepositoryUrlError {
    /// Nothing at all.
    #[error("must not be empty")]
    Empty,
    /// Longer than [`RepositoryUrl::MAX_CHARS`].
    #[error("must have at most {max} characters", max = RepositoryUrl::MAX_CHARS)]
    TooLong,
    /// A leading dash, which a command line would take for an option.
    #[error("must not start with `-`")]
    LeadingDash,
    /// A control character, or white space in a URL.
    #[error("must not contain control characters or white space")]
    Control,
    /// `ext::`, `fd::` or any other `transport::address`, which run programs.
    #[error("must not name a git transport helper (`::`)")]
    TransportHelper,
    /// Anything else than the schemes we speak.
    #[error("must start with `https://` or `ssh://`, or be an absolute local path where those are allowed")]
    Scheme,
    /// A password, or any user in an `https` URL.
    #[error("must not carry credentials")]
    Credentials,
    /// A query or fragment: no git host needs one, and tokens hide there.
    #[error("must not have a query or a fragment")]
    Query,
    /// A user of an `ssh` URL that ssh might take for an option or that needs quoting.
    #[error("the user must start with a letter or digit and hold letters, digits, `.`, `_` and `-` only")]
    User,
    /// A host that ssh might take for an option, or that is no host name.
    #[error("the host must be a host name or an IP address")]
    Host,
    /// A port that is no number from 1 to 65535.
    #[error("the port must be a number from 1 to 65535")]
    Port,
    /// Only a host.
    #[error("must name a repository on the host")]
    NoPath,
    /// `..`, spelled out or percent-encoded.
    #[error("must not have a `..` component")]
    ParentDirectory,
    /// Local, where only remote repositories are allowed.
    #[error("local repositories are not allowed here")]
    Local,
}

/// How git reaches a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `https://host[:port]/path`
    Https,
    /// `ssh://[user@]host[:port]/path`
    Ssh,
    /// `/absolute/path` or `file:///absolute/path`: this machine's own files.
    Local,
}

/// The host of a remote repository, and the port in the URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host<'a> {
    /// A host name, or an address (IPv6 without its brackets).
    pub name: &'a str,
    /// The port, if the URL gives one.
    pub port: Option<u16>,
}

text! {
    /// Where a source repository can be fetched from.
    ///
    /// Every way in accepts well-formed *local* repositories too, since whether they are allowed is a
    /// setting: where a request is read, call [`RepositoryUrl::require_remote`] unless it allows them.
    RepositoryUrl, RepositoryUrlError, check
}

impl RepositoryUrl {
    /// The longest URL, in characters.
    pub const MAX_CHARS: usize = 2_000;

    /// How git reaches it.
    pub fn transport(&self) -> Transport {
        match split_scheme(&self.0) {
            Some((Scheme::Https, _)) => Transport::Https,
            Some((Scheme::Ssh, _)) => Transport::Ssh,
            Some((Scheme::File, _)) | None => Transport::Local,
        }
    }

    /// The host it is on; `None` for a local repository.
    pub fn host(&self) -> Option<Host<'_>> {
        match split_scheme(&self.0)? {
            (Scheme::File, _) => None,
            (_, rest) => authority(rest).ok().map(|(authority, _)| authority.host),
        }
    }

    /// Refuses a local repository.
    pub fn require_remote(self) -> Result<Self, RepositoryUrlError> {
        match self.transport() {
            Transport::Https | Transport::Ssh => Ok(self),
            Transport::Local => Err(RepositoryUrlError::Local),
        }
    }
}

enum Scheme {
    Https,
    Ssh,
    File,
}

struct Authority<'a> {
    user: Option<&'a str>,
    host: Host<'a>,
}

/// Schemes are matched in lower case only, as git does.
fn split_scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    match scheme {
        "https" => Some((Scheme::Https, rest)),
        "ssh" => Some((Scheme::Ssh, rest)),
        "file" => Some((Scheme::File, rest)),
        _ => None,
    }
}

fn check(text: String) -> Result<String, RepositoryUrlError> {
    if text.is_empty() {
        return Err(RepositoryUrlError::Empty);
    }
    if text.chars().count() > RepositoryUrl::MAX_CHARS {
        return Err(RepositoryUrlError::TooLong);
    }
    if text.starts_with('-') {
        return Err(RepositoryUrlError::LeadingDash);
    }
    if text.chars().any(char::is_control) {
        return Err(RepositoryUrlError::Control);
    }
    match split_scheme(&text) {
        Some((Scheme::File, path)) => check_local(path)?,
        Some((scheme, rest)) => check_remote(&scheme, rest)?,
        None if text.starts_with('/') => check_local(&text)?,
        None if is_transport_helper(&text) => return Err(RepositoryUrlError::TransportHelper),
        None => return Err(RepositoryUrlError::Scheme),
    }
    Ok(text)
}

/// `name::address` makes git run `git-remote-name address`.
fn is_transport_helper(text: &str) -> bool {
    text.split_once("::").is_some_and(|(name, _)| !name.contains('/'))
}

fn check_local(path: &str) -> Result<(), RepositoryUrlError> {
    if !path.starts_with('/') {
        return Err(RepositoryUrlError::Scheme);
    }
    check_path(path)
}

fn check_remote(scheme: &Scheme, rest: &str) -> Result<(), RepositoryUrlError> {
    if rest.chars().any(char::is_whitespace) {
        return Err(RepositoryUrlError::Control);
    }
    if rest.contains(['?', '#']) {
        return Err(RepositoryUrlError::Query);
    }
    let (authority, path) = authority(rest)?;
    match (scheme, authority.user) {
        (Scheme::Https, Some(_)) => return Err(RepositoryUrlError::Credentials),
        (_, Some(user)) if user.contains(':') => return Err(RepositoryUrlError::Credentials),
        (_, Some(user)) if !is_user(user) => return Err(RepositoryUrlError::User),
        _ => {}
    }
    if !is_host(authority.host.name) {
        return Err(RepositoryUrlError::Host);
    }
    if path.trim_matches('/').is_empty() {
        return Err(RepositoryUrlError::NoPath);
    }
    check_path(path)
}

fn authority(rest: &str) -> Result<(Authority<'_>, &str), RepositoryUrlError> {
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    // A stray `@` in the path is legal, and curl reads the last one in the authority.
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(v6) => {
            let (name, after) = v6.split_once(']').ok_or(RepositoryUrlError::Host)?;
            match after.strip_prefix(':') {
                Some(port) => (name, Some(port)),
                None if after.is_empty() => (name, None),
                None => return Err(RepositoryUrlError::Host),
            }
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port = port.map(parse_port).transpose()?;
    Ok((Authority { user, host: Host { name, port } }, path))
}

fn parse_port(text: &str) -> Result<u16, RepositoryUrlError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(RepositoryUrlError::Port),
    }
}

fn is_user(user: &str) -> bool {
    user.starts_with(|c: char| c.is_ascii_alphanumeric())
        && user.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

fn is_host(name: &str) -> bool {
    if name.contains(':') {
        return name.parse::<std::net::Ipv6Addr>().is_ok();
    }
    name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        })
}

fn check_path(path: &str) -> Result<(), RepositoryUrlError> {
    let is_parent = |component: &str| component.to_ascii_lowercase().replace("%2e", ".") == "..";
    if path.split('/').any(is_parent) || path.to_ascii_lowercase().contains("%2f") {
        return Err(RepositoryUrlError::ParentDirectory);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use RepositoryUrlError as E;

    #[test]
    fn https_ssh_and_local_repositories_are_told_apart() {
        for (text, transport) in [
            ("https://example.com/a/b.git", Transport::Https),
            ("https://example.com:8443/~a/b", Transport::Https),
            ("https://[2001:db8::1]:443/a", Transport::Https),
            ("ssh://git@example.com/a/b.git", Transport::Ssh),
            ("ssh://example.com:2222/a", Transport::Ssh),
            ("/srv/git/with space::odd.git", Transport::Local),
            ("file:///srv/git/a.git", Transport::Local),
        ] {
            let url: RepositoryUrl = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(url.transport(), transport, "{text}");
            assert_eq!(url.clone().require_remote().is_ok(), transport != Transport::Local, "{text}");
            assert_eq!(url.host().is_some(), transport != Transport::Local, "{text}");
        }
    }

    #[test]
    fn the_host_is_read_as_git_would_read_it() {
        let url: RepositoryUrl = "https://[2001:db8::1]:8443/a".parse().unwrap();
        assert_eq!(url.host(), Some(Host { name: "2001:db8::1", port: Some(8443) }));
        let url: RepositoryUrl = "ssh://git@example.com/a@b".parse().unwrap();
        assert_eq!(url.host(), Some(Host { name: "example.com", port: None }));
    }

    #[test]
    fn what_could_run_a_program_leak_a_secret_or_wander_off_is_refused_with_its_rule() {
        for (text, why) in [
            ("", E::Empty),
            ("--upload-pack=touch /tmp/x", E::LeadingDash),
            ("-oProxyCommand=x", E::LeadingDash),
            ("ext::sh -c touch% /tmp/x", E::TransportHelper),
            ("fd::17", E::TransportHelper),
            ("http::https://example.com/a", E::TransportHelper),
            ("https::x", E::TransportHelper),
            ("http://example.com/a", E::Scheme),
            ("git://example.com/a", E::Scheme),
            ("HTTPS://example.com/a", E::Scheme),
            ("git@example.com:a/b", E::Scheme),
            ("../x", E::Scheme),
            ("x/y", E::Scheme),
            ("file://host/x", E::Scheme),
            ("file://x", E::Scheme),
            ("/srv/../etc", E::ParentDirectory),
            ("file:///srv/%2E./etc", E::ParentDirectory),
            ("https://example.com/a/../b", E::ParentDirectory),
            ("https://example.com/a%2f..%2fb", E::ParentDirectory),
            ("https://user:token@example.com/r", E::Credentials),
            ("https://token@example.com/r", E::Credentials),
            ("https://@example.com/r", E::Credentials),
            ("ssh://git:secret@example.com/r", E::Credentials),
            ("https://example.com/r?access_token=x", E::Query),
            ("https://example.com/r#x", E::Query),
            ("ssh://-oProxyCommand=x@example.com/r", E::User),
            ("ssh://a$(x)@example.com/r", E::User),
            ("ssh://-oProxyCommand=x/r", E::Host),
            ("ssh://git@-oProxyCommand=x/r", E::Host),
            ("https:///r", E::Host),
            ("https://exa$mple.com/r", E::Host),
            ("https://[::1/r", E::Host),
            ("https://example.com:0/r", E::Port),
            ("https://example.com:+1/r", E::Port),
            ("https://example.com:99999/r", E::Port),
            ("https://example.com", E::NoPath),
            ("https://example.com/", E::NoPath),
            ("https://example.com/a\nb", E::Control),
            ("https://example.com/a b", E::Control),
            ("/srv/a\0b", E::Control),
        ] {
            assert_eq!(text.parse::<RepositoryUrl>(), Err(why), "{text:?}");
        }
        let long = format!("https://example.com/{}", "a".repeat(2_000));
        assert_eq!(long.parse::<RepositoryUrl>(), Err(E::TooLong));
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let error = "https://user:hunter2@example.com/r".parse::<RepositoryUrl>().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
