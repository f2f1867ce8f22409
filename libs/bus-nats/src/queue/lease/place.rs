//! Where an order lies in its stream, and whether it still does.

use crate::NatsBus;
use async_nats::{
    Message,
    jetstream::{self, stream::LastRawMessageErrorKind},
};

/// Which message of a stream an order is.
///
/// The server settles by the number alone. But a stream that was removed and made again counts from the beginning:
/// what is said there of an order that came from the one before is taken for a word about another's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u64,
    /// When it was stored, in nanoseconds of the server's clock.
    stored: i128,
}

/// What lies at an order's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lies {
    /// The order.
    There,
    /// Another one, or nothing in a younger stream: it was made again, which we may not have heard of.
    Elsewhere,
    Nothing,
}

impl Place {
    /// The place of an order that came, and how often it was handed out.
    pub(super) fn of(bus: &NatsBus, message: &Message) -> Option<(Self, i64)> {
        let message = jetstream::Message { message: message.clone(), context: bus.jetstream.clone() };
        let info = message.info().ok()?;
        let stored = info.published.unix_timestamp_nanos();
        Some((Self { sequence: info.stream_sequence, stored }, info.delivered))
    }

    /// What lies there now. The leader is asked, since other replicas may not have the order yet.
    pub(super) async fn lies(self, bus: &NatsBus) -> Result<Lies, async_nats::Error> {
        match bus.stream(&bus.tasks).await?.get_raw_message(self.sequence).await {
            Ok(found) if found.time.unix_timestamp_nanos() == self.stored => Ok(Lies::There),
            Ok(_) => Ok(Lies::Elsewhere),
            Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => {
                let stream = bus.jetstream.get_stream(&bus.tasks).await?;
                let made = stream.cached_info().created.unix_timestamp_nanos();
                Ok(if made > self.stored { Lies::Elsewhere } else { Lies::Nothing })
            }
            Err(error) => Err(error.into()),
        }
    }
}
