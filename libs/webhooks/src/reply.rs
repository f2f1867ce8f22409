/// What a receiver means by the status it answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// 2xx: it has the message.
    Delivered,
    /// 410: it wants no messages any more. Disable the endpoint.
    Gone,
    /// 429, 502, 503, 504: it has too much to do. Send less, and this again later.
    Throttled,
    /// Anything else, redirects included. Send it again later.
    Failed,
}

impl Reply {
    /// Of an HTTP status.
    #[must_use]
    pub fn of(status: u16) -> Self {
        match status {
            200..=299 => Self::Delivered,
            410 => Self::Gone,
            429 | 502..=504 => Self::Throttled,
            _ => Self::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reply;

    #[test]
    fn a_status_means_what_the_specification_says() {
        for (statuses, reply) in [
            (&[200, 201, 202, 204, 299][..], Reply::Delivered),
            (&[410], Reply::Gone),
            (&[429, 502, 503, 504], Reply::Throttled),
            (
                &[0, 100, 199, 301, 302, 304, 307, 308, 400, 401, 404, 408, 500, 501, 505, 599, 999],
                Reply::Failed,
            ),
        ] {
            for &status in statuses {
                assert_eq!(Reply::of(status), reply, "{status}");
            }
        }
    }
}
