//! A line of a segment: what happened to one report, with a checksum over it.
//!
//! ```text
//! 8c2f01d7 report 12 {"schemaVersion":1,"body":{...}}
//! 51ab3e90 done 12
//! ```

/// What a line says. Reports are numbered within their segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    /// This is to be published until it is confirmed. An encoded report is JSON without a line break.
    Report { number: u64, body: &'a [u8] },
    /// Nobody needs that report any more.
    Done { number: u64 },
}

const REPORT: &str = "report ";
const DONE: &str = "done ";
/// The checksum in hexadecimal, and a space.
const CHECKSUM: usize = 9;

impl<'a> Record<'a> {
    /// Appends the line, with its end.
    pub(super) fn write(&self, lines: &mut Vec<u8>) {
        let start = lines.len();
        lines.extend_from_slice(&[b' '; CHECKSUM]);
        match self {
            Self::Report { number, body } => {
                lines.extend_from_slice(format!("{REPORT}{number} ").as_bytes());
                lines.extend_from_slice(body);
            }
            Self::Done { number } => lines.extend_from_slice(format!("{DONE}{number}").as_bytes()),
        }
        let checksum = crc32fast::hash(&lines[start + CHECKSUM..]);
        lines[start..start + CHECKSUM].copy_from_slice(format!("{checksum:08x} ").as_bytes());
        lines.push(b'\n');
    }

    /// Reads a line without its end; `None` if nobody here wrote it so.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let (checksum, said) = line.split_at_checked(CHECKSUM)?;
        let checksum = str::from_utf8(checksum.strip_suffix(b" ")?).ok()?;
        if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(said) {
            return None;
        }
        if let Some(number) = said.strip_prefix(DONE.as_bytes()) {
            return Some(Self::Done { number: read_number(number)? });
        }
        let said = said.strip_prefix(REPORT.as_bytes())?;
        let space = said.iter().position(|&byte| byte == b' ')?;
        Some(Self::Report { number: read_number(&said[..space])?, body: &said[space + 1..] })
    }
}

fn read_number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Record;

    fn line(record: &Record<'_>) -> Vec<u8> {
        let mut line = Vec::new();
        record.write(&mut line);
        line
    }

    #[test]
    fn what_was_written_is_read() {
        for record in [
            Record::Report { number: 12, body: br#"{"a": "b c"}"# },
            Record::Report { number: 0, body: b"" },
            Record::Done { number: u64::MAX },
        ] {
            let line = line(&record);
            assert_eq!(Record::read(line.strip_suffix(b"\n").unwrap()), Some(record));
        }
    }

    #[test]
    fn a_line_that_changed_in_any_byte_or_lost_its_end_is_not_read() {
        let whole = line(&Record::Report { number: 12, body: br#"{"a":"b"}"# });
        let whole = whole.strip_suffix(b"\n").unwrap();
        for at in 0..whole.len() {
            let mut changed = whole.to_vec();
            changed[at] ^= 1;
            assert_eq!(Record::read(&changed), None, "changed at {at}");
            assert_eq!(Record::read(&whole[..at]), None, "{at} bytes of it");
        }
    }

    #[test]
    fn a_kind_that_only_a_newer_version_knows_is_not_read() {
        let said = b"moved 12";
        let line = [format!("{:08x} ", crc32fast::hash(said)).as_bytes(), said].concat();
        assert_eq!(Record::read(&line), None);
    }
}
