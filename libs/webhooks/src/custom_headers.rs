use std::fmt;

/// Why a header that an endpoint brings is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderProblem {
    /// More than the rules allow.
    #[error("there may be {0} headers at most")]
    TooMany(usize),
    /// All together are larger than the rules allow.
    #[error("headers may have {allowed} bytes together, not {found}")]
    TooLarge {
        /// How many bytes may be.
        allowed: usize,
        /// How many there are.
        found: usize,
    },
    /// No name of a header, for example for a line break in it.
    #[error("`{0}` is not the name of a header: letters, digits and hyphens make one")]
    Name(String),
    /// Longer than the rules allow, or with a character that ends a header.
    #[error("the value of `{name}` must be visible ASCII without line breaks, of at most {allowed} bytes")]
    Value {
        /// Which header.
        name: String,
        /// How many bytes it may have.
        allowed: usize,
    },
    /// The sender sets it, or it belongs to the connection.
    #[error("`{0}` can't be set: the sender needs it for itself")]
    Reserved(String),
    /// There twice.
    #[error("`{0}` is there twice")]
    Duplicate(String),
}

/// What the headers that an endpoint brings may look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRules {
    /// How many there may be.
    pub max_headers: usize,
    /// How long a name may be, in bytes.
    pub max_name_bytes: usize,
    /// How long a value may be, in bytes.
    pub max_value_bytes: usize,
    /// How long all names and values may be together, in bytes.
    pub max_total_bytes: usize,
}

impl Default for HeaderRules {
    fn default() -> Self {
        Self { max_headers: 20, max_name_bytes: 100, max_value_bytes: 2_048, max_total_bytes: 8_192 }
    }
}

/// About the connection, the body, the message or the sender: never the subscriber's to say.
const RESERVED: [&str; 20] = [
    "accept-encoding",
    "connection",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const RESERVED_BEGINNINGS: [&str; 4] = ["content-", "webhook-", "x-webhook-", "x-forwarded-"];

impl HeaderRules {
    /// These headers, if they obey the rules.
    ///
    /// ```
    /// use buildwright_webhooks::{HeaderProblem, HeaderRules};
    ///
    /// let rules = HeaderRules::default();
    /// let headers = rules.check([("Authorization", "Bearer abc")])?;
    /// assert_eq!(headers.iter().next(), Some(("authorization", "Bearer abc")));
    ///
    /// assert_eq!(rules.check([("Host", "a.test")]), Err(HeaderProblem::Reserved("Host".into())));
    /// # Ok::<(), HeaderProblem>(())
    /// ```
    ///
    /// # Errors
    /// At the first problem.
    pub fn check<N, V, I>(&self, headers: I) -> Result<CustomHeaders, HeaderProblem>
    where
        N: AsRef<str>,
        V: AsRef<str>,
        I: IntoIterator<Item = (N, V)>,
    {
        let mut checked: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            let (name, value) = (name.as_ref(), value.as_ref());
            let lower = self.name(name)?;
            self.value(name, value)?;
            if checked.iter().any(|(other, _)| *other == lower) {
                return Err(HeaderProblem::Duplicate(name.to_owned()));
            }
            if checked.len() == self.max_headers {
                return Err(HeaderProblem::TooMany(self.max_headers));
            }
            checked.push((lower, value.to_owned()));
        }
        let found = checked.iter().map(|(name, value)| name.len() + value.len()).sum();
        if found > self.max_total_bytes {
            return Err(HeaderProblem::TooLarge { allowed: self.max_total_bytes, found });
        }
        Ok(CustomHeaders(checked))
    }

    fn name(&self, name: &str) -> Result<String, HeaderProblem> {
        if name.is_empty() || name.len() > self.max_name_bytes || !name.bytes().all(is_token) {
            let shown: String = name.chars().take(self.max_name_bytes).collect();
            return Err(HeaderProblem::Name(shown.escape_debug().to_string()));
        }
        let lower = name.to_ascii_lowercase();
        let reserved = RESERVED.contains(&lower.as_str())
            || RESERVED_BEGINNINGS.iter().any(|beginning| lower.starts_with(beginning));
        if reserved { Err(HeaderProblem::Reserved(name.to_owned())) } else { Ok(lower) }
    }

    fn value(&self, name: &str, value: &str) -> Result<(), HeaderProblem> {
        let visible = value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t');
        if value.len() > self.max_value_bytes || !visible || value.trim() != value {
            return Err(HeaderProblem::Value { name: name.to_owned(), allowed: self.max_value_bytes });
        }
        Ok(())
    }
}

/// A character of a token, of which names are made.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Headers that obey the rules, with names in lower case. Values don't show in debug output:
/// there may be a password among them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CustomHeaders(Vec<(String, String)>);

impl CustomHeaders {
    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for CustomHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, value: &str) -> Result<CustomHeaders, HeaderProblem> {
        HeaderRules::default().check([(name, value)])
    }

    #[test]
    fn a_subscriber_may_authenticate_and_label_its_messages() {
        for (name, value) in
            [("Authorization", "Basic dTpw"), ("X-Team", "shop floor"), ("Cookie", "a=b"), ("x", "")]
        {
            assert!(check(name, value).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_the_sender_sets_can_not_be_set() {
        for name in [
            "Host",
            "hOsT",
            "Content-Length",
            "Content-Type",
            "Content-Encoding",
            "Transfer-Encoding",
            "Connection",
            "TE",
            "Upgrade",
            "Expect",
            "webhook-id",
            "Webhook-Signature",
            "X-Webhook-Signature",
            "X-Webhook-Whatever",
            "User-Agent",
            "Proxy-Authorization",
            "X-Forwarded-For",
        ] {
            assert_eq!(check(name, "x"), Err(HeaderProblem::Reserved(name.to_owned())));
        }
    }

    #[test]
    fn nothing_ends_a_header_before_its_end() {
        for name in ["", "a b", "a:b", "a\r\nb", "ä", "a\0", &"n".repeat(101)] {
            assert!(matches!(check(name, "x"), Err(HeaderProblem::Name(_))), "{name:?}");
        }
        for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "ä", " a", "a ", &"v".repeat(2_049)] {
            assert!(matches!(check("x-a", value), Err(HeaderProblem::Value { .. })), "{value:?}");
        }
    }

    #[test]
    fn there_are_not_too_many_of_them() {
        let rules = HeaderRules::default();
        let named = |count: usize| (0..count).map(|n| (format!("x-{n}"), "v"));
        assert!(rules.check(named(20)).is_ok());
        assert_eq!(rules.check(named(21)), Err(HeaderProblem::TooMany(20)));
        assert_eq!(
            rules.check([("x-a", "1"), ("X-A", "2")]),
            Err(HeaderProblem::Duplicate("X-A".to_owned()))
        );
        let large = "v".repeat(2_048);
        let four = ["a", "b", "c", "d"].map(|name| (name, large.as_str()));
        assert_eq!(rules.check(four), Err(HeaderProblem::TooLarge { allowed: 8_192, found: 8_196 }));
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let headers = check("Authorization", "Bearer abc").expect("fine");
        assert_eq!(format!("{headers:?}"), r#"["authorization"]"#);
    }

    proptest! {
        #[test]
        fn nothing_that_passes_could_break_a_request(name in ".*", value in ".*") {
            if let Ok(headers) = check(&name, &value) {
                for (name, value) in headers.iter() {
                    prop_assert!(!name.contains(['\r', '\n', ':', ' ']) && !value.contains(['\r', '\n', '\0']));
                }
            }
        }
    }
}
