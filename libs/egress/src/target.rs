use std::fmt;

use url::Url;

use crate::address::RefusedAddress;
use crate::policy::Policy;

/// Why requests can't go to a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Longer than [`TargetUrl::MAX_BYTES`].
    #[error("must have at most {max} bytes", max = TargetUrl::MAX_BYTES)]
    TooLong,
    /// White space, a control character or a backslash, over which programs disagree.
    #[error("must not contain {0:?}: percent-encode it")]
    Character(char),
    /// No URL at all.
    #[error("must be a URL such as https://example.com/hooks")]
    NotAUrl,
    /// Of another scheme.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// `http` where only `https` is allowed.
    #[error("must begin with https://, unencrypted requests are not allowed here")]
    HttpsOnly,
    /// A user or a password.
    #[error("must not contain a user or password: send a header instead")]
    UserInfo,
    /// What follows `#`, which is never sent.
    #[error("must not contain a fragment: leave out `#` and what follows")]
    Fragment,
    /// A host that is hidden in percent signs.
    #[error("the host must be written without percent signs")]
    EncodedHost,
    /// A port that may not be connected to.
    #[error("port {0} is not allowed")]
    Port(u16),
    /// No name that could exist.
    #[error("`{0}` is not the full name of a host, without a dot at its end")]
    HostName(String),
    /// A name of something inside.
    #[error("`{0}` is a name inside a network: use a public name, or have the operator allow its network")]
    InsideName(String),
    /// An address of something inside.
    #[error("{0}: use a public name, or have the operator allow its network")]
    Address(#[from] RefusedAddress),
}

/// A URL that requests may go to, as far as can be told without asking for the addresses of its
/// name. That is done anew for each connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl(Url);

impl TargetUrl {
    /// The longest URL, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// Reads a URL as browsers do, so that every spelling of an address is seen through.
    ///
    /// # Errors
    /// When requests may not go there.
    pub fn parse(text: &str, policy: &Policy) -> Result<Self, TargetError> {
        if text.len() > Self::MAX_BYTES {
            return Err(TargetError::TooLong);
        }
        let suspicious = |c: &char| c.is_whitespace() || c.is_control() || *c == '\\';
        if let Some(character) = text.chars().find(suspicious) {
            return Err(TargetError::Character(character));
        }
        let url = Url::parse(text).map_err(|_| TargetError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(TargetError::Scheme);
        }
        let authority = authority(text);
        if authority.contains('@') {
            return Err(TargetError::UserInfo);
        }
        if authority.contains('%') {
            return Err(TargetError::EncodedHost);
        }
        if url.fragment().is_some() {
            return Err(TargetError::Fragment);
        }
        policy.check(&url)?;
        if url.as_str().len() > Self::MAX_BYTES {
            return Err(TargetError::TooLong);
        }
        // What can't be put into a request line would only come out at the first attempt.
        url.as_str().parse::<http::Uri>().map_err(|_| TargetError::NotAUrl)?;
        Ok(Self(url))
    }

    /// The URL, spelled as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name or address of the host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Host and port as they were written, with user and password.
fn authority(text: &str) -> &str {
    let rest = text.split_once(':').map_or(text, |(_, rest)| rest).trim_start_matches('/');
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{AddressPolicy, Ports, Schemes};

    fn parse(text: &str) -> Result<TargetUrl, TargetError> {
        TargetUrl::parse(text, &Policy::default())
    }

    #[test]
    fn urls_of_public_hosts_are_taken() {
        for (text, sent) in [
            ("https://example.com/hooks", "https://example.com/hooks"),
            ("http://example.com", "http://example.com/"),
            ("HTTPS://Example.COM:8443/a?b=c%20d", "https://example.com:8443/a?b=c%20d"),
            ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
            ("https://8.8.8.8/", "https://8.8.8.8/"),
            ("https://[2606:4700::1111]:81/", "https://[2606:4700::1111]:81/"),
            ("https://internal.example.com/", "https://internal.example.com/"),
            ("https://notlocalhost.example/", "https://notlocalhost.example/"),
        ] {
            assert_eq!(parse(text).as_ref().map(TargetUrl::as_str), Ok(sent), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_an_address_inside_is_seen_through() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "0X7F.0.0.1",
            "0177.0.0.1",
            "0177.1",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.0.0.1.",
            "0",
            "0.0.0.0",
            "10.1",
            "192.168.257",
            "169.254.169.254",
            "0xa9fea9fe",
            "2852039166",
            "100.100.100.200",
            "[::]",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:10.0.0.1]",
            "[::ffff:a00:1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::a00:1]",
            "[64:ff9b:1::a00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "１２７.０.０.１",
            "①②⑦.0.0.1",
            "127。0。0。1",
            "0x7f.0x0.0x0.0x1",
            "00000177.0.0.1",
        ] {
            for url in [format!("http://{host}"), format!("https://{host}:8080/x"), format!("http:{host}/")] {
                let refused = parse(&url);
                assert!(matches!(refused, Err(TargetError::Address(_))), "{url}: {refused:?}");
            }
        }
    }

    #[test]
    fn names_of_what_is_inside_are_refused() {
        for host in [
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "a.b.localhost.",
            "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
            "loc\u{ad}alhost",
            "metadata.google.internal",
            "printer.local",
            "nas.lan",
            "router.home.arpa",
            "redis",
            "kubernetes",
            "localhost.localdomain",
        ] {
            let refused = parse(&format!("http://{host}/x"));
            assert!(matches!(refused, Err(TargetError::InsideName(_))), "{host}: {refused:?}");
        }
    }

    #[test]
    fn what_programs_could_read_in_two_ways_is_refused_with_the_reason() {
        let long = format!("https://example.com/{}", "x".repeat(2_048));
        let long_name = format!("https://{}example.com/", "a.".repeat(130));
        for (text, expected) in [
            ("", "must be a URL"),
            ("example.com", "must be a URL"),
            ("https://", "must be a URL"),
            ("http://1.2.3.4.5/", "must be a URL"),
            ("http://256.1.1.1/", "must be a URL"),
            ("http://[::1/", "must be a URL"),
            ("http://a b/", "must not contain ' '"),
            ("https://example.com/a\r\nHost: b", "must not contain '\\r'"),
            ("https://exam\tple.com", "must not contain '\\t'"),
            (" https://example.com", "must not contain ' '"),
            ("https://example.com\\@10.0.0.1/", "must not contain '\\\\'"),
            ("ftp://example.com/", "must begin with https://"),
            ("file:///etc/passwd", "must begin with https://"),
            ("gopher://example.com/", "must begin with https://"),
            ("javascript:alert(1)", "must begin with https://"),
            ("https://user@example.com/", "must not contain a user"),
            ("https://:secret@example.com/", "must not contain a user"),
            ("https://@example.com/", "must not contain a user"),
            ("https://example.com/#top", "must not contain a fragment"),
            ("http://%31%32%37.0.0.1/", "the host must be written without percent signs"),
            ("http://example%2ecom/", "the host must be written without percent signs"),
            ("https://example.com:0/", "port 0 is not allowed"),
            ("https://example.com:65536/", "must be a URL"),
            ("https://example.com./", "`example.com.` is not the full name"),
            (&long_name, "`a.a."),
            (&long, "must have at most 2048 bytes"),
        ] {
            let message = parse(text).expect_err(text).to_string();
            assert!(message.starts_with(expected), "{text:?}: {message}");
        }
    }

    #[test]
    fn an_operator_decides_on_encryption_ports_and_what_is_inside() {
        let networks = vec!["127.0.0.0/8".parse().expect("a network")];
        let policy = Policy {
            addresses: AddressPolicy::public_and(networks),
            schemes: Schemes::HttpsOnly,
            ports: Ports::Only(vec![443, 8443]),
        };
        let parse = |text| TargetUrl::parse(text, &policy);
        for allowed in
            ["https://example.com", "https://127.1:8443", "https://localhost", "https://receiver:8443/"]
        {
            assert!(parse(allowed).is_ok(), "{allowed}");
        }
        assert_eq!(parse("http://example.com"), Err(TargetError::HttpsOnly));
        assert_eq!(parse("https://example.com:444"), Err(TargetError::Port(444)));
        assert!(matches!(parse("https://10.0.0.1"), Err(TargetError::Address(_))));
    }

    proptest! {
        #[test]
        fn whatever_is_taken_is_taken_again_as_it_is_sent(text in "https?:/{0,3}[\\PC]{0,40}") {
            if let Ok(target) = parse(&text) {
                prop_assert_eq!(parse(target.as_str()), Ok(target));
            }
        }

        #[test]
        fn no_number_leads_inside(number: u32) {
            let address = std::net::Ipv4Addr::from(number);
            let public = AddressPolicy::public().check(address.into()).is_ok();
            let [a, b, c, d] = address.octets();
            for spelling in [
                format!("{number}"), format!("{number:#x}"), format!("0{number:o}"),
                format!("{a:#x}.{b}.0{c:o}.{d}"), format!("{a}.{}", number & 0xff_ffff),
            ] {
                prop_assert_eq!(parse(&format!("http://{spelling}/")).is_ok(), public, "{}", spelling);
            }
        }
    }
}
