//! What a segment says when it is read again.

use super::record::Record;
use std::collections::BTreeMap;

/// Of a segment.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// The bodies of reports that nobody confirmed, by their numbers.
    pub(super) unconfirmed: BTreeMap<u64, Vec<u8>>,
    /// Where the last whole line ends. What follows was being written when the process or the machine died, and
    /// nobody was told that it was durable.
    pub(super) whole: u64,
    /// How many whole lines make no sense.
    pub(super) damaged: usize,
}

impl Contents {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut contents = Self::default();
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let Some(said) = line.strip_suffix(b"\n") else { break };
            contents.whole += line.len() as u64;
            match Record::read(said) {
                Some(Record::Report { number, body }) => {
                    contents.unconfirmed.insert(number, body.to_vec());
                }
                Some(Record::Done { number }) => {
                    contents.unconfirmed.remove(&number);
                }
                None => contents.damaged += 1,
            }
        }
        contents
    }
}

#[cfg(test)]
mod tests {
    use super::{Contents, Record};
    use std::collections::BTreeMap;

    /// Two reports and the end of the first.
    fn lines() -> Vec<u8> {
        let mut lines = Vec::new();
        Record::Report { number: 0, body: b"a" }.write(&mut lines);
        Record::Report { number: 1, body: b"b" }.write(&mut lines);
        Record::Done { number: 0 }.write(&mut lines);
        lines
    }

    #[test]
    fn what_is_done_is_over() {
        let contents = Contents::read(&lines());
        assert_eq!(contents.unconfirmed, BTreeMap::from([(1, b"b".to_vec())]));
        assert_eq!((contents.whole, contents.damaged), (lines().len() as u64, 0));
    }

    #[test]
    fn a_torn_end_is_no_damage_and_not_of_the_whole() {
        let whole = lines();
        for torn in [&b"\0\0\0\0"[..], &whole[..7], b"x"] {
            assert_eq!(Contents::read(&[&whole, torn].concat()), Contents::read(&whole));
        }
    }

    #[test]
    fn around_a_damaged_line_the_others_count() {
        let mut bytes = lines();
        bytes[3] ^= 1;
        let contents = Contents::read(&bytes);
        assert_eq!(contents.unconfirmed, BTreeMap::from([(1, b"b".to_vec())]));
        assert_eq!((contents.whole, contents.damaged), (bytes.len() as u64, 1));
    }
}
