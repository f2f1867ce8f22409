use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{AddressKind, AddressPolicy};

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolver: Send + Sync {
    /// All addresses that the name has now.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LookupError {
    /// Which address it is, is not for those outside to know.
    #[error("the name leads to a {0} address, and only public ones may be connected to")]
    Refused(AddressKind),
    #[error("the name has no address")]
    NoAddress,
    #[error("the name could not be looked up")]
    Failed(#[source] io::Error),
}

/// Hands out no address that may not be connected to. It is asked for every new connection, so
/// it doesn't matter what the name led to before.
pub(crate) struct Guard {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) addresses: AddressPolicy,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (resolver, policy) = (self.resolver.clone(), self.addresses.clone());
        Box::pin(async move {
            let found = resolver.addresses(name.as_str()).await.map_err(LookupError::Failed);
            let allowed = found.and_then(|found| permitted(&policy, &found));
            allowed.map_err(Box::<dyn Error + Send + Sync>::from)
        })
    }
}

fn permitted(policy: &AddressPolicy, found: &[IpAddr]) -> Result<Addrs, LookupError> {
    let verdicts = found.iter().map(|&address| policy.check(address).map(|()| address));
    let (allowed, refused): (Vec<_>, Vec<_>) = verdicts.partition(Result::is_ok);
    // Without a port, the one of the URL is taken.
    let allowed: Vec<SocketAddr> =
        allowed.into_iter().flatten().map(|address| SocketAddr::new(address, 0)).collect();
    if !allowed.is_empty() {
        return Ok(Box::new(allowed.into_iter()));
    }
    let refusal = refused.into_iter().find_map(Result::err);
    Err(refusal.map_or(LookupError::NoAddress, |refused| LookupError::Refused(refused.kind)))
}
