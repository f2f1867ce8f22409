//! Splits a byte stream into lines without trusting their length or their encoding.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Longest line kept, in bytes. The CLI prints lines of megabytes (images, long answers).
pub const DEFAULT_LINE_CAP: usize = 64 * 1024 * 1024;

/// One line, without its line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RawLine {
    /// Its text; bytes that are not UTF-8 became U+FFFD.
    Text(String),
    /// It was longer than the cap and was dropped.
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

/// Reads lines that end in a line feed (the last may end at end of file), wherever the chunks of
/// the underlying stream happen to be cut.
#[derive(Debug)]
pub struct LineReader<R> {
    input: BufReader<R>,
    cap: usize,
    line: Vec<u8>,
    dropped: u64,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Drops lines over `cap` bytes; holds at most that and one chunk in memory.
    pub fn new(input: R, cap: usize) -> Self {
        Self { input: BufReader::with_capacity(64 * 1024, input), cap, line: Vec::new(), dropped: 0 }
    }

    /// The next line, `None` at end of file. May be dropped and called again without loss.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next(&mut self) -> io::Result<Option<RawLine>> {
        loop {
            let chunk = self.input.fill_buf().await?;
            if chunk.is_empty() {
                let nothing_left = self.line.is_empty() && self.dropped == 0;
                return Ok((!nothing_left).then(|| self.take()));
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            if self.dropped > 0 || self.line.len() + part.len() > self.cap {
                self.dropped += (self.line.len() + part.len()) as u64;
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(self.take()));
            }
        }
    }

    fn take(&mut self) -> RawLine {
        match std::mem::take(&mut self.dropped) {
            0 => RawLine::Text(lossy(std::mem::take(&mut self.line))),
            bytes => RawLine::TooLong { bytes },
        }
    }
}

/// Copies only when it has to: lines are big and nearly always valid.
fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|invalid| String::from_utf8_lossy(invalid.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Reads `bytes` arriving in chunks of these sizes, over and over.
    async fn read_in_chunks(bytes: &[u8], sizes: &[usize], cap: usize) -> Vec<RawLine> {
        let (mut writer, reader) = tokio::io::duplex(1024 * 1024);
        let bytes = bytes.to_vec();
        let sizes = sizes.to_vec();
        let feed = tokio::spawn(async move {
            let mut rest = &bytes[..];
            for size in sizes.iter().cycle() {
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                writer.write_all(chunk).await.unwrap();
                tokio::task::yield_now().await;
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
        });
        let mut lines = LineReader::new(reader, cap);
        let mut read = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            read.push(line);
        }
        feed.await.unwrap();
        read
    }

    fn text(line: &str) -> RawLine {
        RawLine::Text(line.to_owned())
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_lines(
            lines in prop::collection::vec("[^\n]{0,40}", 1..8),
            sizes in prop::collection::vec(1_usize..9, 1..6),
            ends_in_line_feed in any::<bool>(),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut bytes = lines.join("\n").into_bytes();
            let mut expected: Vec<RawLine> = lines.iter().map(|line| text(line)).collect();
            if ends_in_line_feed {
                bytes.push(b'\n');
            } else if lines.last().is_some_and(String::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(runtime.block_on(read_in_chunks(&bytes, &sizes, 1000)), expected);
        }
    }

    #[tokio::test]
    async fn invalid_bytes_become_replacement_characters_and_split_ones_do_not() {
        let read = read_in_chunks("é\u{2028}€".as_bytes(), &[1], 100).await;
        assert_eq!(read, [text("é\u{2028}€")]);
        assert_eq!(read_in_chunks(b"a\xff\0b\nc", &[2], 100).await, [text("a\u{fffd}\0b"), text("c")]);
    }

    #[tokio::test]
    async fn a_line_of_several_megabytes_arrives_whole() {
        let long = "x".repeat(5_000_000);
        let bytes = format!("before\n{long}\nafter\n");
        let read = read_in_chunks(bytes.as_bytes(), &[70_000], DEFAULT_LINE_CAP).await;
        assert_eq!(read, [text("before"), text(&long), text("after")]);
    }

    #[tokio::test]
    async fn a_line_past_the_cap_is_dropped_and_the_next_one_is_not() {
        let bytes = format!("{}\n{}\nok\n{}", "x".repeat(10), "y".repeat(11), "z".repeat(300));
        let read = read_in_chunks(bytes.as_bytes(), &[7], 10).await;
        let expected = [
            text(&"x".repeat(10)),
            RawLine::TooLong { bytes: 11 },
            text("ok"),
            RawLine::TooLong { bytes: 300 },
        ];
        assert_eq!(read, expected);
    }
}
