//! Which source repositories we are willing to contact, and how.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use names::{BranchName, Commit, RefName, RepositoryUrl, Transport};
use sha2::{Digest, Sha256};

use super::base::BaseError;
use super::repositories::Project;
use crate::invocation::Invocation;

/// A branch of another repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Where the repository is.
    pub url: RepositoryUrl,
    /// The branch to start from; what its HEAD points at if `None`.
    pub branch: Option<BranchName>,
}

/// Whether something is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is.
    Allowed,
    /// It is not.
    Refused,
}

/// What fetching from a source repository may do.
#[derive(Debug, Clone)]
pub struct SourceRules {
    /// Repositories on this machine's disk, by path or `file://`.
    pub local: Access,
    /// Hosts with a private, loopback or link-local address, where cloud metadata services are.
    ///
    /// While these are refused, the address that was checked is the one that is contacted, and redirects
    /// are not followed. A proxy in `environment` looks names up by itself: then it has to refuse such addresses, too.
    pub private_hosts: Access,
    /// How long one fetch may take.
    pub timeout: Duration,
    /// What git needs to get out of here: `https_proxy`, `SSL_CERT_FILE`, `SSH_AUTH_SOCK` and the like.
    pub environment: Vec<(OsString, OsString)>,
}

impl Default for SourceRules {
    /// Public hosts only, ten minutes.
    fn default() -> Self {
        Self {
            local: Access::Refused,
            private_hosts: Access::Refused,
            timeout: Duration::from_secs(600),
            environment: Vec::new(),
        }
    }
}

/// Faults in the history of well-known repositories that harm nobody.
pub(super) const TOLERATED: [&str; 4] =
    ["badTimezone", "zeroPaddedFilemode", "missingSpaceBeforeDate", "badDateOverflow"];

impl Project {
    /// Fetches a branch and returns its tip.
    ///
    /// Git refuses to write a ref that somebody else has moved since it began, so each fetch has one of its own. It
    /// is left behind only by one that is killed, and then hinders nobody.
    pub(super) async fn fetch(&self, source: &Source) -> Result<Commit, BaseError> {
        static FETCHES: AtomicU64 = AtomicU64::new(0);
        let brought = RefName::of_fetch(std::process::id(), FETCHES.fetch_add(1, Ordering::Relaxed));
        self.bring(source, &brought).await?;
        let tip = self.resolve(&brought).await?.ok_or(BaseError::NoSuchBranch)?;
        // So that the next fetch brings only what is new.
        self.rename_ref(&brought, &tracking_ref(source), &tip).await?;
        Ok(tip)
    }

    async fn bring(&self, source: &Source, to: &RefName) -> Result<(), BaseError> {
        let mut fetch = self.run_locked("fetch")?.network(self.rules.timeout);
        for (name, value) in &self.rules.environment {
            fetch = fetch.env(name, value);
        }
        for fault in TOLERATED {
            fetch = fetch.setting(format!("fetch.fsck.{fault}=warn"));
        }
        let transport = source.url.transport();
        fetch = fetch.protocols(match transport {
            Transport::Https => "https",
            Transport::Ssh => "ssh",
            Transport::Local => "file",
        });
        if transport == Transport::Local && self.rules.local == Access::Refused {
            return Err(BaseError::LocalRefused);
        }
        if transport == Transport::Local && self.is_one_of_ours(&source.url) {
            return Err(BaseError::OurOwn);
        }
        let address = match self.rules.private_hosts {
            Access::Allowed => None,
            Access::Refused => public_address(&source.url).await?,
        };
        fetch = pin(fetch, &source.url, address);
        let refspec = match &source.branch {
            Some(branch) => format!("+refs/heads/{branch}:{to}"),
            None => format!("+HEAD:{to}"),
        };
        fetch
            .args(["--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--"])
            .args([source.url.as_str(), &refspec])
            .stdout()
            .await?;
        Ok(())
    }
}

impl Project {
    /// Whether a path leads to where all projects' repositories are: another tenant's may be among them.
    fn is_one_of_ours(&self, url: &RepositoryUrl) -> bool {
        let path = url.as_str().strip_prefix("file://").unwrap_or(url.as_str());
        let all = self.objects().ancestors().nth(2).map(Path::to_owned);
        let found = std::fs::canonicalize(path).ok();
        all.zip(found).is_some_and(|(all, found)| found.starts_with(all))
    }
}

/// One ref per source, of a name that any URL and branch fit into.
fn tracking_ref(source: &Source) -> RefName {
    let digest = Sha256::new().chain_update(source.url.as_str()).chain_update([0]);
    // No branch has an empty name.
    let branch = source.branch.as_ref().map_or("", BranchName::as_str);
    let digest = digest.chain_update(branch).finalize();
    RefName::of_source(digest.into())
}

/// Makes git contact the very address that was checked: a second look-up could answer differently.
fn pin(fetch: Invocation, url: &RepositoryUrl, address: Option<IpAddr>) -> Invocation {
    let ssh = "ssh -oBatchMode=yes -oClearAllForwardings=yes -oPermitLocalCommand=no";
    match (url.host(), address, url.transport()) {
        (Some(host), Some(_), Transport::Https) if host.name.parse::<IpAddr>().is_ok() => {
            fetch.setting("http.followRedirects=false")
        }
        (Some(host), Some(address), Transport::Https) => {
            let port = host.port.unwrap_or(443);
            let name = host.name;
            fetch
                .setting("http.followRedirects=false")
                .setting(format!("http.curloptResolve={name}:{port}:{address}"))
        }
        (Some(host), Some(address), Transport::Ssh) => {
            let pinned = format!("{ssh} -oHostName={address} -oHostKeyAlias={}", host.name);
            fetch.env("GIT_SSH_COMMAND", pinned)
        }
        _ => fetch.env("GIT_SSH_COMMAND", ssh),
    }
}

/// An address of the URL's host, if all it has are public; `None` for a local repository.
async fn public_address(url: &RepositoryUrl) -> Result<Option<IpAddr>, BaseError> {
    let Some(host) = url.host() else { return Ok(None) };
    let port = host.port.unwrap_or(443);
    let found = tokio::net::lookup_host((host.name, port)).await.map_err(BaseError::UnknownHost)?;
    let addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
    if !addresses.iter().all(is_public) {
        return Err(BaseError::PrivateHost);
    }
    Ok(addresses.first().copied())
}

fn is_public(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(*v4),
        IpAddr::V6(v6) => is_public_v6(*v6),
    }
}

/// The blocks of RFC 6890 that are not globally reachable.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped, NAT64 and 6to4 addresses lead to the IPv4 address inside them.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Only 2000::/3 is global unicast; 2001:db8::/32 is for documentation, 2001::/32 tunnels.
        [first, second, ..] => {
            (0x2000..0x4000).contains(&first) && !(first == 0x2001 && (second == 0xdb8 || second == 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_pass() {
        for text in ["1.1.1.1", "140.82.121.4", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"] {
            assert!(is_public(&text.parse().unwrap()), "{text}");
        }
        for text in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(&text.parse().unwrap()), "{text}");
        }
    }
}
