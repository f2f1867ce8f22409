//! Events of endpoints as they were ever stored: each can still be read, and the newest version is still written
//! alike. The rules are those of `golden.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod endpoint_words;

use buildwright_domain::{
    BuildId,
    endpoint::{DisabledReason, EndpointEvent, EndpointSpec, data},
};
use endpoint_words::*;
use serde::Deserialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use ulid::Ulid;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    kind: String,
    version: u16,
    payload: Value,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/endpoint")
}

/// The value of each golden file, every optional field given.
fn expected() -> Vec<(u16, EndpointEvent)> {
    let spec = EndpointSpec { build: Some(BuildId::new(Ulid(1 << 100))), ..spec() };
    let reason = DisabledReason::Failing { since: at(1) };
    vec![
        (1, data::EndpointCreated { tenant: tenant(), spec: spec.clone(), from: 41, at: at(0) }.into()),
        (1, updated(spec)),
        (1, data::EndpointDisabled { reason, at: at(2) }.into()),
        (1, data::EndpointEnabled { from: 99, at: at(3) }.into()),
        (1, data::EndpointSecretRotated { old_valid_until: at(90), at: at(4) }.into()),
        (1, deleted()),
    ]
}

#[test]
fn every_stored_event_is_read_as_what_it_was_and_written_again_alike() {
    for (version, event) in expected() {
        let file = folder().join(format!("{}.v{version}.json", event.kind()));
        let stored: Stored = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        assert_eq!((stored.kind.as_str(), stored.version), (event.kind(), version));
        let read = EndpointEvent::decode(&stored.kind, stored.version, &stored.payload.to_string()).unwrap();
        assert_eq!(read, event);
        if version == event.schema_version() {
            let written: Value = serde_json::from_str(&event.encode().unwrap()).unwrap();
            assert_eq!(written, stored.payload, "{}", event.kind());
        }
    }
}

#[test]
fn every_version_of_every_kind_has_a_golden_file() {
    let mut names: Vec<String> =
        expected().iter().map(|(version, event)| format!("{}.v{version}.json", event.kind())).collect();
    let mut found: Vec<String> =
        folder().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    found.sort();
    assert_eq!(found, names);
    for kind in EndpointEvent::KINDS {
        assert!(names.iter().any(|name| name.starts_with(&format!("{kind}.v"))), "{kind}");
    }
}

#[test]
fn the_type_in_an_events_own_json_is_its_kind() {
    for (_, event) in expected() {
        assert_eq!(serde_json::to_value(&event).unwrap()["type"], event.kind());
    }
}

#[test]
fn a_reason_is_told_with_its_kind() {
    let json = serde_json::to_string(&DisabledReason::ByClient).unwrap();
    assert_eq!(json, r#"{"kind":"by_client"}"#);
}
