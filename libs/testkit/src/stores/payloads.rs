//! What an event may hold.

use super::{Subject, sample::*};
use chrono::{DateTime, SubsecRound, Utc};
use ports::{Metadata, RecordedEvent};

/// What is read before and after opening the store again.
async fn read_twice<S: Subject>(subject: S) -> [Vec<RecordedEvent>; 2] {
    let from_memory = whole_log(&*subject.events()).await;
    let from_disk = whole_log(&*subject.reopened().await.events()).await;
    [from_memory, from_disk]
}

/// Nothing is parsed and written anew: spaces, order, repeated names and long numbers stay as they are.
pub async fn any_json_comes_back_byte_by_byte<S: Subject>() {
    let payloads = [
        "{}",
        "null",
        r#" { "b" : 1, "a" : 2 , "b" : 3 } "#,
        r#"{"nul":"\u0000","in":"a\u0000b","lone":"\ud800","pair":"\ud83e\udd80"}"#,
        r#"{"crab":"🦀","plane":"\\u0000","line":" ","combined":"é é"}"#,
        "{\"unescaped\":\"\u{7f}\u{85}\u{2028}\u{feff}\u{fffd}\u{10ffff}\"}",
        "[9007199254740993,123456789012345678901234567890,1e400,-0,-0.0,1.0,1.10,1E+2]",
        r#"{"it's":"100% \"quoted\" \\ $1 {1,2} (\t)"}"#,
        "\t[\r\n1 ]\n",
    ];
    let subject = S::empty().await;
    let payloads = payloads.map(str::to_owned).to_vec();
    subject.events().append(append_of(stream(1), 0, payloads.clone())).await.expect("appended");
    for log in read_twice(subject).await {
        assert_eq!(log.iter().map(|event| event.payload.to_string()).collect::<Vec<_>>(), payloads);
    }
}

/// A payload of a megabyte is nothing special, nor are several together.
pub async fn a_megabyte_comes_back<S: Subject>() {
    let payloads: Vec<String> = ["x", "🦀", r"\u0000", "\\n"]
        .map(|text| format!("{{\"text\":\"{}\"}}", text.repeat((1 << 20) / text.len())))
        .to_vec();
    let subject = S::empty().await;
    subject.events().append(append_of(stream(1), 0, payloads.clone())).await.expect("appended");
    for log in read_twice(subject).await {
        assert_eq!(log.len(), payloads.len());
        for (event, payload) in log.iter().zip(&payloads) {
            assert!(*event.payload == **payload, "{} bytes of {}", event.payload.len(), payload.len());
        }
    }
}

/// An actor's name comes from a certificate or a token: it may hold anything.
pub async fn any_actor_comes_back<S: Subject>() {
    let actors = [None, Some(""), Some("executor-1"), Some("\"'\\"), Some("nul\0"), Some("🦀\n\u{2028}")];
    let subject = S::empty().await;
    for (version, actor) in (0..).zip(actors) {
        let metadata = Metadata { actor: actor.map(Into::into), ..Metadata::default() };
        let append = ports::Append { metadata, ..append(stream(1), version, 1) };
        subject.events().append(append).await.expect("appended");
    }
    for log in read_twice(subject).await {
        assert_eq!(log.iter().map(|event| event.metadata.actor.as_deref()).collect::<Vec<_>>(), actors);
    }
}

/// Whether a time is read from memory or from disk, it is the same.
pub async fn times_are_kept_to_the_microsecond<S: Subject>() {
    let times: Vec<DateTime<Utc>> = [
        "1970-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999999Z",
        "1999-12-31T23:59:59.9999995Z",
        "2026-03-01T12:00:00.000000999Z",
        "2026-03-01T12:00:00.123456Z",
        "9999-12-31T23:59:59.999999Z",
    ]
    .iter()
    .map(|time| time.parse().expect("a time"))
    .collect();
    let subject = S::empty().await;
    for (version, recorded_at) in (0..).zip(&times) {
        let append = ports::Append { recorded_at: *recorded_at, ..append(stream(1), version, 1) };
        subject.events().append(append).await.expect("appended");
    }
    let [from_memory, from_disk] = read_twice(subject).await;
    for ((time, in_memory), on_disk) in times.iter().zip(&from_memory).zip(&from_disk) {
        assert_eq!(in_memory.recorded_at, on_disk.recorded_at, "{time}");
        let lost = (*time - on_disk.recorded_at).num_nanoseconds().expect("little");
        assert!((0..1_000).contains(&lost), "{time} became {}", on_disk.recorded_at);
        assert_eq!(on_disk.recorded_at, on_disk.recorded_at.trunc_subsecs(6));
    }
}
