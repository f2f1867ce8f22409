use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// Why nobody outside should be reached at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AddressKind {
    /// `0.0.0.0/8`, `::`: this machine, as a rule.
    Unspecified,
    /// `127.0.0.0/8`, `::1`: this machine.
    Loopback,
    /// `10.0.0.0/8` and its like, `fc00::/7`, `fec0::/10`: our own network.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`: our own cable, and the metadata services of clouds.
    LinkLocal,
    /// `100.64.0.0/10`: our provider's network.
    CarrierNat,
    /// What a cloud tells its machines, at an address that is otherwise of no special kind.
    Metadata,
    /// For tests of network equipment.
    Benchmarking,
    /// For examples in documents.
    Documentation,
    /// For many receivers.
    Multicast,
    /// `255.255.255.255`: for all receivers.
    Broadcast,
    /// An IPv6 address with an IPv4 address in it, which some gateway or the system itself would
    /// connect to: mapped, compatible, NAT64, 6to4, Teredo.
    EmbedsIpv4,
    /// For purposes of the internet's own, present or future.
    Reserved,
}

impl AddressKind {
    /// A word or two for a message.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Loopback => "loopback",
            Self::Private => "private",
            Self::LinkLocal => "link-local",
            Self::CarrierNat => "carrier NAT",
            Self::Metadata => "cloud metadata",
            Self::Benchmarking => "benchmarking",
            Self::Documentation => "documentation",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::EmbedsIpv4 => "IPv4 within IPv6",
            Self::Reserved => "reserved",
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An address that may not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{address} is a {kind} address, and only public ones may be connected to")]
pub struct RefusedAddress {
    /// Which.
    pub address: IpAddr,
    /// Why.
    pub kind: AddressKind,
}

/// Which addresses may be connected to: public ones, and those that are allowed by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressPolicy {
    allowed: Vec<IpNet>,
}

impl AddressPolicy {
    /// Public addresses only.
    #[must_use]
    pub fn public() -> Self {
        Self::default()
    }

    /// Public addresses, and whatever is in these networks: for tests and for intranets.
    #[must_use]
    pub fn public_and(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether an address may be connected to.
    ///
    /// # Errors
    /// When it may not.
    pub fn check(&self, address: IpAddr) -> Result<(), RefusedAddress> {
        if self.allowed.iter().any(|network| network.contains(&address)) {
            return Ok(());
        }
        let kind = match address {
            IpAddr::V4(address) => kind_of_v4(address),
            IpAddr::V6(address) => kind_of_v6(address),
        };
        kind.map_or(Ok(()), |kind| Err(RefusedAddress { address, kind }))
    }

    /// Whether something inside may be connected to.
    pub(crate) fn allows_some_inside(&self) -> bool {
        !self.allowed.is_empty()
    }
}

/// The first network that an address is in says what kind it is.
const V4: [([u8; 4], u8, AddressKind); 18] = [
    ([0, 0, 0, 0], 8, AddressKind::Unspecified),
    ([10, 0, 0, 0], 8, AddressKind::Private),
    ([100, 100, 100, 200], 32, AddressKind::Metadata),
    ([100, 64, 0, 0], 10, AddressKind::CarrierNat),
    ([127, 0, 0, 0], 8, AddressKind::Loopback),
    // The host that serves a virtual machine of one cloud: public by its number only.
    ([168, 63, 129, 16], 32, AddressKind::Metadata),
    ([169, 254, 0, 0], 16, AddressKind::LinkLocal),
    ([172, 16, 0, 0], 12, AddressKind::Private),
    ([192, 0, 0, 0], 24, AddressKind::Reserved),
    ([192, 0, 2, 0], 24, AddressKind::Documentation),
    ([192, 88, 99, 0], 24, AddressKind::Reserved),
    ([192, 168, 0, 0], 16, AddressKind::Private),
    ([198, 18, 0, 0], 15, AddressKind::Benchmarking),
    ([198, 51, 100, 0], 24, AddressKind::Documentation),
    ([203, 0, 113, 0], 24, AddressKind::Documentation),
    ([224, 0, 0, 0], 4, AddressKind::Multicast),
    ([255, 255, 255, 255], 32, AddressKind::Broadcast),
    ([240, 0, 0, 0], 4, AddressKind::Reserved),
];

/// The same, for the first half of an address; what is in none of them and not in `2000::/3` is
/// reserved.
const V6: [([u16; 4], u8, AddressKind); 13] = [
    ([0x2001, 0xdb8, 0, 0], 32, AddressKind::Documentation),
    ([0x3fff, 0, 0, 0], 20, AddressKind::Documentation),
    ([0x2001, 0, 0, 0], 32, AddressKind::EmbedsIpv4),
    ([0x2001, 2, 0, 0], 48, AddressKind::Benchmarking),
    ([0x2001, 0, 0, 0], 23, AddressKind::Reserved),
    ([0x2002, 0, 0, 0], 16, AddressKind::EmbedsIpv4),
    ([0x64, 0xff9b, 0, 0], 32, AddressKind::EmbedsIpv4),
    ([0xfc00, 0, 0, 0], 7, AddressKind::Private),
    ([0xfec0, 0, 0, 0], 10, AddressKind::Private),
    ([0xfe80, 0, 0, 0], 10, AddressKind::LinkLocal),
    ([0xff00, 0, 0, 0], 8, AddressKind::Multicast),
    // Mapped, compatible and translated addresses.
    ([0, 0, 0, 0], 64, AddressKind::EmbedsIpv4),
    ([0x100, 0, 0, 0], 64, AddressKind::Reserved),
];

fn kind_of_v4(address: Ipv4Addr) -> Option<AddressKind> {
    let bits = u64::from(u32::from(address)) << 32;
    let within =
        |network: [u8; 4], length| starts_with(bits, u64::from(u32::from_be_bytes(network)) << 32, length);
    V4.iter().find(|(network, length, _)| within(*network, *length)).map(|(_, _, kind)| *kind)
}

fn kind_of_v6(address: Ipv6Addr) -> Option<AddressKind> {
    if address.is_unspecified() {
        return Some(AddressKind::Unspecified);
    }
    if address.is_loopback() {
        return Some(AddressKind::Loopback);
    }
    let [a, b, c, d, ..] = address.segments();
    let bits = half([a, b, c, d]);
    let found = V6.iter().find(|(network, length, _)| starts_with(bits, half(*network), *length));
    let is_global = starts_with(bits, half([0x2000, 0, 0, 0]), 3);
    found.map(|(_, _, kind)| *kind).or((!is_global).then_some(AddressKind::Reserved))
}

fn half(segments: [u16; 4]) -> u64 {
    segments.into_iter().fold(0, |bits, segment| bits << 16 | u64::from(segment))
}

/// Whether the first `length` bits, which are at least one and at most 64, are the same.
fn starts_with(bits: u64, network: u64, length: u8) -> bool {
    (bits ^ network) >> (64 - u32::from(length)) == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(address: &str) -> Option<AddressKind> {
        let address = address.parse().expect("an address");
        AddressPolicy::public().check(address).err().map(|refused| refused.kind)
    }

    #[test]
    fn networks_begin_and_end_where_they_should() {
        use AddressKind::{
            Benchmarking, Broadcast, CarrierNat, Documentation, LinkLocal, Loopback, Metadata, Multicast,
            Private, Reserved, Unspecified,
        };
        for (first, last, expected) in [
            ("0.0.0.0", "0.255.255.255", Unspecified),
            ("10.0.0.0", "10.255.255.255", Private),
            ("100.64.0.0", "100.127.255.255", CarrierNat),
            ("100.100.100.200", "100.100.100.200", Metadata),
            ("127.0.0.0", "127.255.255.255", Loopback),
            ("168.63.129.16", "168.63.129.16", Metadata),
            ("169.254.0.0", "169.254.255.255", LinkLocal),
            ("172.16.0.0", "172.31.255.255", Private),
            ("192.0.0.0", "192.0.0.255", Reserved),
            ("192.0.2.0", "192.0.2.255", Documentation),
            ("192.88.99.0", "192.88.99.255", Reserved),
            ("192.168.0.0", "192.168.255.255", Private),
            ("198.18.0.0", "198.19.255.255", Benchmarking),
            ("198.51.100.0", "198.51.100.255", Documentation),
            ("203.0.113.0", "203.0.113.255", Documentation),
            ("224.0.0.0", "239.255.255.255", Multicast),
            ("240.0.0.0", "255.255.255.254", Reserved),
            ("255.255.255.255", "255.255.255.255", Broadcast),
        ] {
            assert_eq!((kind(first), kind(last)), (Some(expected), Some(expected)), "{first} to {last}");
        }
    }

    #[test]
    fn public_addresses_may_be_connected_to() {
        for address in [
            "1.0.0.0",
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2001:200::1",
            "2a00::1",
            "2003::1",
        ] {
            assert_eq!(kind(address), None, "{address}");
        }
    }

    #[test]
    fn addresses_of_version_six_that_lead_inside_are_refused() {
        for (address, expected) in [
            ("::", AddressKind::Unspecified),
            ("::1", AddressKind::Loopback),
            ("::ffff:127.0.0.1", AddressKind::EmbedsIpv4),
            ("::ffff:8.8.8.8", AddressKind::EmbedsIpv4),
            ("::ffff:0:10.0.0.1", AddressKind::EmbedsIpv4),
            ("::10.0.0.1", AddressKind::EmbedsIpv4),
            ("64:ff9b::a00:1", AddressKind::EmbedsIpv4),
            ("64:ff9b:1::1", AddressKind::EmbedsIpv4),
            ("2002:a00:1::", AddressKind::EmbedsIpv4),
            ("2001:0:a00:1::", AddressKind::EmbedsIpv4),
            ("2001:2::1", AddressKind::Benchmarking),
            ("2001:20::1", AddressKind::Reserved),
            ("2001:db8::1", AddressKind::Documentation),
            ("3fff::1", AddressKind::Documentation),
            ("3fff:fff::1", AddressKind::Documentation),
            ("fc00::1", AddressKind::Private),
            ("fdff::1", AddressKind::Private),
            ("fd00:ec2::254", AddressKind::Private),
            ("fe80::1", AddressKind::LinkLocal),
            ("fec0::1", AddressKind::Private),
            ("ff02::1", AddressKind::Multicast),
            ("100::1", AddressKind::Reserved),
            ("5f00::1", AddressKind::Reserved),
            ("4000::1", AddressKind::Reserved),
        ] {
            assert_eq!(kind(address), Some(expected), "{address}");
        }
    }

    #[test]
    fn what_is_allowed_by_name_wins_and_nothing_beside_it() {
        let networks =
            ["127.0.0.0/8", "10.1.2.3/32", "fd00::/64"].map(|text| text.parse().expect("a network"));
        let policy = AddressPolicy::public_and(networks.into());
        let may = |address: &str| policy.check(address.parse().expect("an address")).is_ok();
        assert!(may("127.0.0.1") && may("10.1.2.3") && may("fd00::7") && may("8.8.8.8"));
        assert!(!may("10.1.2.4") && !may("::1") && !may("fd00:0:0:1::7") && !may("169.254.169.254"));
        // An address in another one is another one.
        assert!(!may("::ffff:127.0.0.1"));
    }

    proptest! {
        #[test]
        fn whatever_the_standard_library_calls_special_is_refused(bits: u32) {
            let address = Ipv4Addr::from(bits);
            let special = address.is_private() || address.is_loopback() || address.is_link_local()
                || address.is_broadcast() || address.is_documentation() || address.is_multicast()
                || address.is_unspecified();
            if special {
                prop_assert!(AddressPolicy::public().check(address.into()).is_err());
            }
        }

        #[test]
        fn an_address_that_was_wrapped_is_refused_whatever_is_in_it(bits: u32) {
            let address = Ipv4Addr::from(bits);
            for wrapped in [address.to_ipv6_mapped(), address.to_ipv6_compatible()] {
                prop_assert!(AddressPolicy::public().check(wrapped.into()).is_err());
            }
        }
    }
}
