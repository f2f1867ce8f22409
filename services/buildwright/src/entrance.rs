//! Who gets into an API: decided by where it listens and what its operator says.

use crate::actions::Usage;
use api::{Access, Anonymous, Figures, KeySettings};
use chrono::{DateTime, Utc};
use ports::ApiKeys;
use std::{net::SocketAddr, sync::Arc};

/// Who gets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Whoever is on this machine, and whoever has a key.
    ThisMachine,
    /// On this machine, whoever has a key.
    KeysOnThisMachine,
    /// Whoever has a key, at an address that others reach.
    Keys(SocketAddr),
    /// Whoever gets here: something in front of us has seen to who does.
    Everybody,
}

/// What an operator says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Demand {
    /// What goes with the address.
    Usual,
    /// Keys, whatever the address.
    Keys,
    /// None, whatever the address.
    Nothing,
}

impl Demand {
    /// From the command line, where at most one of them is given.
    pub(crate) fn of(require_keys: bool, allow_unauthenticated: bool) -> Self {
        match (require_keys, allow_unauthenticated) {
            (true, _) => Self::Keys,
            (false, true) => Self::Nothing,
            (false, false) => Self::Usual,
        }
    }
}

impl Entrance {
    pub(crate) fn of(listen: SocketAddr, demand: Demand) -> Self {
        match (demand, listen.ip().is_loopback()) {
            (Demand::Usual, true) => Self::ThisMachine,
            (Demand::Keys, true) => Self::KeysOnThisMachine,
            (Demand::Usual | Demand::Keys, false) => Self::Keys(listen),
            (Demand::Nothing, _) => Self::Everybody,
        }
    }

    /// The door, unless nobody could come in by it: whoever starts a server that others are to reach hears so.
    pub(crate) async fn open(
        self,
        keys: Arc<dyn ApiKeys>,
        settings: KeySettings,
        now: DateTime<Utc>,
    ) -> anyhow::Result<Arc<Access>> {
        let (anonymous, figures) = match self {
            Self::ThisMachine | Self::Everybody => (Anonymous::Local, Figures::Open),
            Self::KeysOnThisMachine => (Anonymous::Refused, Figures::Open),
            Self::Keys(_) => (Anonymous::Refused, Figures::Admin),
        };
        if let Self::Keys(listen) = self
            && !keys.any_usable_key(now).await?
        {
            let what = format!(
                "other machines reach {listen}, and there is no API key that could be used. `buildwright keys create \
                 --name NAME --scope admin` makes one; or listen on 127.0.0.1. Where a proxy or a network policy already \
                 decides who gets here, --allow-unauthenticated lets everybody in who does."
            );
            return Err(Usage(what).into());
        }
        Ok(Arc::new(Access::new(keys, settings, anonymous, figures)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_this_machine_keys_are_needed_unless_somebody_says_otherwise() {
        for (listen, demand, entrance) in [
            ("127.0.0.1:80", Demand::Usual, Entrance::ThisMachine),
            ("[::1]:80", Demand::Usual, Entrance::ThisMachine),
            ("127.0.0.1:80", Demand::Keys, Entrance::KeysOnThisMachine),
            ("0.0.0.0:80", Demand::Usual, Entrance::Keys("0.0.0.0:80".parse().unwrap())),
            ("192.0.2.1:80", Demand::Keys, Entrance::Keys("192.0.2.1:80".parse().unwrap())),
            ("[::]:80", Demand::Usual, Entrance::Keys("[::]:80".parse().unwrap())),
            ("0.0.0.0:80", Demand::Nothing, Entrance::Everybody),
        ] {
            assert_eq!(Entrance::of(listen.parse().unwrap(), demand), entrance, "{listen} {demand:?}");
        }
    }
}
