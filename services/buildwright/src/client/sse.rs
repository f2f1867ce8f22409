//! Reading server-sent events off a stream of bytes, as the HTML standard describes them.

/// An event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The last id seen, be it of an earlier event.
    pub(crate) id: Option<String>,
    /// Its type; `message` if it has none.
    pub(crate) event: String,
    /// Its lines of data.
    pub(crate) data: String,
}

/// More than this without the end of an event, and the stream is not what we think it is.
const MOST_BYTES: usize = 64 << 20;

/// The stream does not end its events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What was read and is no whole event yet.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    id: Option<String>,
    event: String,
    data: String,
}

impl Parser {
    /// Takes more of the stream and adds the events that are complete now.
    pub(crate) fn feed(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), TooLong> {
        for &byte in bytes {
            let second_half = std::mem::take(&mut self.after_cr) && byte == b'\n';
            match byte {
                b'\n' if second_half => {}
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    events.extend(self.line(&String::from_utf8_lossy(&line)));
                }
                _ => self.line.push(byte),
            }
        }
        if self.line.len() + self.data.len() > MOST_BYTES { Err(TooLong) } else { Ok(()) }
    }

    fn line(&mut self, line: &str) -> Option<SseEvent> {
        if line.is_empty() {
            return self.dispatch();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            "event" => value.clone_into(&mut self.event),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            // Comments keep the connection open; other fields are not for us.
            _ => {}
        }
        None
    }

    fn dispatch(&mut self) -> Option<SseEvent> {
        let event = std::mem::take(&mut self.event);
        let mut data = std::mem::take(&mut self.data);
        data.pop()?;
        let event = if event.is_empty() { "message".to_owned() } else { event };
        Some(SseEvent { id: self.id.clone(), event, data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&str]) -> Vec<SseEvent> {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        for piece in pieces {
            parser.feed(piece.as_bytes(), &mut events).unwrap();
        }
        events
    }

    fn event(id: Option<&str>, event: &str, data: &str) -> SseEvent {
        SseEvent { id: id.map(str::to_owned), event: event.to_owned(), data: data.to_owned() }
    }

    #[test]
    fn an_event_may_arrive_in_any_pieces() {
        let text = ": hello\r\n\r\nid: 7\r\nevent: line\r\ndata: a\r\ndata:b\r\n\r\n";
        let whole = read(&[text]);
        assert_eq!(whole, [event(Some("7"), "line", "a\nb")]);
        for cut in 1..text.len() {
            assert_eq!(read(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
    }

    #[test]
    fn comments_and_events_without_data_are_nothing() {
        assert_eq!(read(&[": heartbeat\n\n\n", "event: x\n\n", "data\n\n"]), [event(None, "message", "")]);
    }

    #[test]
    fn an_unfinished_event_is_not_given_out() {
        assert_eq!(read(&["id: 1\ndata: half"]), []);
    }

    #[test]
    fn a_stream_that_never_ends_a_line_is_given_up() {
        let (mut parser, mut events) = (Parser::default(), Vec::new());
        let piece = vec![b'x'; 1 << 20];
        assert!((0..100).any(|_| parser.feed(&piece, &mut events) == Err(TooLong)));
    }
}
