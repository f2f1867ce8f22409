use url::{Host, Url};

use crate::address::AddressPolicy;
use crate::target::TargetError;

/// Which schemes a URL may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Schemes {
    /// `https` only.
    HttpsOnly,
    /// `http` as well.
    #[default]
    HttpAndHttps,
}

/// Which ports a URL may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ports {
    /// Any but 0.
    #[default]
    Any,
    /// These.
    Only(Vec<u16>),
}

/// Where requests may go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Which addresses may be connected to.
    pub addresses: AddressPolicy,
    /// Which schemes a URL may have.
    pub schemes: Schemes,
    /// Which ports a URL may name.
    pub ports: Ports,
}

/// Names that never mean anybody outside, with what is below them.
const INSIDE: [&str; 7] = ["localhost", "localdomain", "local", "internal", "intranet", "lan", "home.arpa"];

impl Policy {
    /// What a URL says of itself; what its name resolves to is known only when connecting.
    pub(crate) fn check(&self, url: &Url) -> Result<(), TargetError> {
        match (url.scheme(), self.schemes) {
            ("https", _) | ("http", Schemes::HttpAndHttps) => {}
            ("http", Schemes::HttpsOnly) => return Err(TargetError::HttpsOnly),
            _ => return Err(TargetError::Scheme),
        }
        self.check_port(url.port_or_known_default().unwrap_or_default())?;
        match url.host() {
            None => Err(TargetError::NotAUrl),
            Some(Host::Ipv4(address)) => Ok(self.addresses.check(address.into())?),
            Some(Host::Ipv6(address)) => Ok(self.addresses.check(address.into())?),
            Some(Host::Domain(name)) => self.check_name(name),
        }
    }

    fn check_port(&self, port: u16) -> Result<(), TargetError> {
        let allowed = match &self.ports {
            Ports::Any => port != 0,
            Ports::Only(ports) => ports.contains(&port),
        };
        if allowed { Ok(()) } else { Err(TargetError::Port(port)) }
    }

    fn check_name(&self, name: &str) -> Result<(), TargetError> {
        let plain = name.strip_suffix('.').unwrap_or(name);
        let is_inside = !plain.contains('.')
            || INSIDE.iter().any(|inside| {
                plain.strip_suffix(inside).is_some_and(|before| before.is_empty() || before.ends_with('.'))
            });
        // Where something inside is allowed, the addresses decide.
        if is_inside && !self.addresses.allows_some_inside() {
            return Err(TargetError::InsideName(plain.to_owned()));
        }
        if name.ends_with('.') || plain.is_empty() || plain.len() > 253 {
            return Err(TargetError::HostName(name.to_owned()));
        }
        Ok(())
    }
}
