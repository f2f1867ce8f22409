//! Small batches of events, told with the notification of their append: whoever follows the log has them at once.
//!
//! Anybody who may connect to a database may listen there, so they are sealed. The key is in a table: who may read
//! events may read it.

use crate::{batch::Waiting, failure::Damage, sessions::Query};
use base64::{Engine, prelude::BASE64_STANDARD_NO_PAD};
use ports::{Metadata, Position, RecordedEvent, Version};
use ring::rand::{SecureRandom, SystemRandom};
use seal::{MasterKey, Seal};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{Row, postgres::PgRow};

/// A notification of PostgreSQL has less than 8,000 bytes, and head and read models come first.
const MOST_TEXT: usize = 7_900;
/// Sealing adds 33 bytes, and three bytes take four as text.
const MOST_BYTES: usize = MOST_TEXT / 4 * 3 - 33;
/// What is sealed here is nothing else.
const OWNER: &[u8] = b"notice";

/// Seals and opens what is told.
#[derive(Debug)]
pub(crate) struct Notices {
    seal: Seal,
    chance: SystemRandom,
}

/// An append as it is told.
#[derive(Serialize, Deserialize)]
struct Told<'a> {
    #[serde(rename = "s")]
    stream: String,
    #[serde(rename = "v")]
    before: u64,
    #[serde(rename = "m")]
    metadata: Metadata,
    /// Microseconds since 1970.
    #[serde(rename = "t")]
    recorded_at: i64,
    #[serde(rename = "e", borrow)]
    events: Vec<(&'a str, u16, &'a RawValue)>,
}

impl Notices {
    pub(crate) fn query<'q>() -> Query<'q> {
        sqlx::query("SELECT key FROM notice_key")
    }

    pub(crate) fn read(row: &PgRow) -> Result<Self, Damage> {
        let key: [u8; MasterKey::LENGTH] = row.try_get(0)?;
        Ok(Self { seal: Seal::new(MasterKey::from_bytes(&key)), chance: SystemRandom::new() })
    }

    /// The events of a batch, if they are few enough to be told.
    pub(crate) fn tell(&self, batch: &[Waiting]) -> Option<String> {
        let payloads = batch.iter().flat_map(|one| &one.append.events).map(|event| event.payload.len());
        if payloads.sum::<usize>() > MOST_BYTES {
            return None;
        }
        let told = batch.iter().map(told).collect::<Result<Vec<_>, _>>().ok()?;
        let bytes = serde_json::to_vec(&told).ok().filter(|bytes| bytes.len() <= MOST_BYTES)?;
        let mut nonce = [0; 12];
        self.chance.fill(&mut nonce).ok()?;
        Some(BASE64_STANDARD_NO_PAD.encode(self.seal.seal(OWNER, &bytes, nonce).ok()?))
    }

    /// The events that were told; the last one is at `head`. `None` if a newer version told them, or somebody who
    /// does not have the key.
    pub(crate) fn hear(&self, told: &str, head: Position) -> Option<Vec<RecordedEvent>> {
        let sealed = BASE64_STANDARD_NO_PAD.decode(told).ok()?;
        let bytes = self.seal.open(OWNER, &sealed).ok()?;
        let appends: Vec<Told<'_>> = serde_json::from_slice(&bytes).ok()?;
        let count: usize = appends.iter().map(|append| append.events.len()).sum();
        let mut position = head.0.checked_sub(u64::try_from(count).ok()?)?;
        let mut events = Vec::with_capacity(count);
        for append in appends {
            let stream = append.stream.parse().ok()?;
            let recorded_at = crate::events::time(append.recorded_at).ok()?;
            for (step, (kind, schema_version, payload)) in (1..).zip(append.events) {
                position += 1;
                events.push(RecordedEvent {
                    position: Position(position),
                    stream,
                    version: Version(append.before + step),
                    kind: kind.into(),
                    schema_version,
                    payload: payload.get().into(),
                    metadata: append.metadata.clone(),
                    recorded_at,
                });
            }
        }
        Some(events)
    }
}

fn told(Waiting { append, .. }: &Waiting) -> Result<Told<'_>, serde_json::Error> {
    let events = append.events.iter();
    let events =
        events.map(|event| Ok((event.kind, event.schema_version, serde_json::from_str(&event.payload)?)));
    Ok(Told {
        stream: append.stream.to_string(),
        before: append.expected.0,
        metadata: append.metadata.clone(),
        recorded_at: append.recorded_at.timestamp_micros(),
        events: events.collect::<Result<_, serde_json::Error>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::recorded;
    use ports::Append;
    use testkit::stores::sample;
    use tokio::sync::oneshot;

    fn notices(byte: u8) -> Notices {
        Notices { seal: Seal::new(MasterKey::from_bytes(&[byte; 32])), chance: SystemRandom::new() }
    }

    fn batch(appends: impl IntoIterator<Item = Append>) -> Vec<Waiting> {
        appends.into_iter().map(|append| Waiting { append, answer: oneshot::channel().0 }).collect()
    }

    /// An append of one event with so many bytes of payload.
    fn of_bytes(bytes: usize) -> Vec<Waiting> {
        batch([sample::append_of(sample::stream(1), 0, vec![format!("\"{}\"", "x".repeat(bytes - 2))])])
    }

    #[test]
    fn what_is_heard_is_what_was_appended() {
        let appends = [(1, 0, 2), (2, 7, 1), (3, 0, 3)]
            .map(|(stream, expected, count)| sample::append(sample::stream(stream), expected, count));
        let told = notices(1).tell(&batch(appends.clone())).expect("few enough");
        let heard = notices(1).hear(&told, Position(26)).expect("heard");
        let lasts = [22, 23, 26].map(Position);
        let stored: Vec<_> =
            appends.into_iter().zip(lasts).flat_map(|(one, last)| recorded(one, last)).collect();
        assert_eq!(format!("{heard:?}"), format!("{stored:?}"));
    }

    #[test]
    fn what_is_told_always_fits_into_a_notification() {
        let longest = (1..MOST_BYTES).rev().find_map(|bytes| notices(1).tell(&of_bytes(bytes)));
        let longest = longest.expect("something fits").len();
        assert!((MOST_TEXT - 8..=MOST_TEXT).contains(&longest), "{longest}");
        assert_eq!(notices(1).tell(&of_bytes(MOST_BYTES + 1)), None);
        // However many bytes of JSON text become one: it is told as it is stored.
        let many = batch((0..200).map(|n| sample::append(sample::stream(n), 0, 1)));
        assert_eq!(notices(1).tell(&many), None);
    }

    #[test]
    fn nobody_without_the_key_hears_or_tells_anything() {
        let secret = sample::append_of(sample::stream(1), 0, vec![r#""the secret""#.to_owned()]);
        let told = notices(1).tell(&batch([secret])).expect("few enough");
        let sealed = BASE64_STANDARD_NO_PAD.decode(&told).expect("text");
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        assert!(notices(2).hear(&told, Position(1)).is_none());
        for nonsense in ["", "x", "!", &told[1..]] {
            assert!(notices(1).hear(nonsense, Position(1)).is_none(), "{nonsense}");
        }
        // Nor is it believed where it cannot be.
        assert!(notices(1).hear(&told, Position(0)).is_none());
    }
}
