//! W3C Trace Context of messages.
//!
//! All that is about one build, or about one endpoint, is one trace: its id is the 128 bits of the ULID, so that
//! whoever has the one has the other, after years, and without a store of traces. The parent of what an order causes
//! is its attempt; an event's is the build.

use async_nats::HeaderMap;
use domain::{
    BuildId,
    build::{Attempt, Work},
};
use ports::StreamId;
use sha2::{Digest as _, Sha256};

/// The header.
const TRACEPARENT: &str = "traceparent";

/// Says what a message about an attempt belongs to: the order, and what is reported of it.
pub(crate) fn join_attempt(headers: &mut HeaderMap, build: BuildId, work: Work, attempt: Attempt) {
    let span = Sha256::digest(format!("{build}:{work}:{attempt}"));
    headers.insert(TRACEPARENT, traceparent(build.ulid().0, first_half(&span)));
}

/// Says what an event belongs to.
pub(crate) fn join_stream(headers: &mut HeaderMap, stream: StreamId) {
    let ulid = match stream {
        StreamId::Build(id) => id.ulid(),
        StreamId::Endpoint(id) => id.ulid(),
    };
    let span = Sha256::digest(ulid.to_bytes());
    headers.insert(TRACEPARENT, traceparent(ulid.0, first_half(&span)));
}

/// "Sampled": the log holds all of it.
fn traceparent(trace: u128, span: u64) -> String {
    format!("00-{trace:032x}-{span:016x}-01")
}

/// Never 0, which names no span.
fn first_half(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use plan::TaskNumber;

    fn of(work: Work, attempt: u32) -> String {
        let mut headers = HeaderMap::new();
        let build: BuildId = "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV".parse().unwrap();
        join_attempt(&mut headers, build, work, Attempt(attempt));
        headers.get(TRACEPARENT).unwrap().to_string()
    }

    #[test]
    fn attempts_are_spans_of_the_trace_of_their_build() {
        let first = of(Work::Task(TaskNumber(1)), 1);
        assert_eq!(first, of(Work::Task(TaskNumber(1)), 1));
        // 01ARZ3NDEKTSV4RRFFQ69G5FAV in hexadecimal.
        assert!(first.starts_with("00-01563e3ab5d3d6764c61efb99302bd5b-"), "{first}");
        assert!(first.ends_with("-01") && first.len() == 55);
        for other in [of(Work::Task(TaskNumber(1)), 2), of(Work::Task(TaskNumber(2)), 1), of(Work::Plan, 1)] {
            assert_eq!(first[..36], other[..36]);
            assert_ne!(first, other);
        }
    }
}
