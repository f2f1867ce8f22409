//! What a receiver accepts, and what it is told when it doesn't.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, SystemTime};

use buildwright_webhooks::{
    Headers, MessageId, PrivateKey, Secret, Signer, SimpleKey, Verifier, VerifyError,
};
use proptest::prelude::*;

const BODY: &[u8] = br#"{"test": 2432232314}"#;

fn secret() -> Secret {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a secret")
}

fn other_secret() -> Secret {
    Secret::from_bytes([1; 32])
}

fn id() -> MessageId {
    "msg_p5jXN8AQM9LWM0D4loKWxJek".parse().expect("an id")
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

const SENT: u64 = 1_614_265_330;

fn signed() -> Headers {
    Signer::new(secret()).sign(&id(), at(SENT), BODY)
}

/// The headers of a message, some of them changed; `None` takes one away.
fn verify_with(
    verifier: &Verifier,
    headers: &Headers,
    changed: &[(&str, Option<&str>)],
    now: u64,
) -> Result<(), VerifyError> {
    let entries = headers.entries();
    let header = |name: &str| {
        let change = changed.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
        change.unwrap_or_else(|| entries.iter().find(|(of, _)| *of == name).map(|(_, value)| *value))
    };
    let verified = verifier.verify(header, BODY, at(now))?;
    assert_eq!(verified.sent_at, at(SENT));
    Ok(())
}

#[test]
fn the_test_vector_of_the_specification_holds() {
    let headers = signed();
    assert_eq!(
        headers.entries(),
        [
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ]
    );
    assert_eq!(verify_with(&Verifier::new(secret()), &headers, &[], SENT), Ok(()));
}

#[test]
fn a_missing_header_is_named() {
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        for value in [None, Some("")] {
            let verdict = verify_with(&Verifier::new(secret()), &signed(), &[(name, value)], SENT);
            assert_eq!(verdict, Err(VerifyError::MissingHeader(name)));
        }
    }
}

#[test]
fn a_time_stamp_is_a_number_of_seconds() {
    for text in ["soon", "1614265330.0", "-1", "+1614265330", " 1614265330", "0x1", "99999999999999999999"] {
        let verdict =
            verify_with(&Verifier::new(secret()), &signed(), &[("webhook-timestamp", Some(text))], SENT);
        assert_eq!(verdict, Err(VerifyError::MalformedTimestamp("webhook-timestamp")), "{text:?}");
    }
    // More than a clock can show.
    let most = u64::MAX.to_string();
    let verdict =
        verify_with(&Verifier::new(secret()), &signed(), &[("webhook-timestamp", Some(&most))], SENT);
    assert!(verdict.is_err());
}

#[test]
fn a_message_may_be_five_minutes_late_or_early_and_no_more() {
    let five_minutes = Verifier::new(secret());
    let a_second = Verifier::new(secret()).tolerance(Duration::from_secs(1));
    let too_old = |seconds| Err(VerifyError::TooOld(Duration::from_secs(seconds)));
    let too_new = |seconds| Err(VerifyError::TooNew(Duration::from_secs(seconds)));
    for (verifier, now, expected) in [
        (&five_minutes, SENT + 300, Ok(())),
        (&five_minutes, SENT - 300, Ok(())),
        (&five_minutes, SENT + 301, too_old(301)),
        (&five_minutes, SENT - 301, too_new(301)),
        (&a_second, SENT + 1, Ok(())),
        (&a_second, SENT + 2, too_old(2)),
        (&a_second, 0, too_new(SENT)),
    ] {
        assert_eq!(verify_with(verifier, &signed(), &[], now), expected, "at {now}");
    }
}

#[test]
fn whatever_is_signed_can_not_be_changed() {
    let verifier = Verifier::new(secret());
    for (header, value) in [("webhook-id", "msg_other"), ("webhook-timestamp", "1614265331")] {
        let verdict = verify_with(&verifier, &signed(), &[(header, Some(value))], SENT);
        assert_eq!(verdict, Err(VerifyError::NoMatchingSignature), "{header}");
    }
    let headers = signed();
    let header =
        |name: &str| headers.entries().into_iter().find(|(of, _)| *of == name).map(|(_, value)| value);
    let longer = [BODY, b" "].concat();
    for body in [&b""[..], b"{}", &longer] {
        assert_eq!(verifier.verify(header, body, at(SENT)), Err(VerifyError::NoMatchingSignature));
    }
}

#[test]
fn a_signature_is_looked_for_among_all_that_are_there() {
    let verifier = Verifier::new(secret());
    let genuine = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let naked = &genuine["v1,".len()..];
    for (signatures, matches) in [
        (format!("v1,AAAA {genuine}"), true),
        (format!("v2,unknown v1 , v1, nonsense {genuine}"), true),
        (format!("v1a,{naked}"), false),
        (format!("v2,{naked}"), false),
        (naked.to_owned(), false),
        (genuine[..genuine.len() - 5].to_owned(), false),
        (format!("{}{genuine}", "v1,AAAA ".repeat(1_000)), false),
    ] {
        let verdict = verify_with(&verifier, &signed(), &[("webhook-signature", Some(&signatures))], SENT);
        assert_eq!(verdict.is_ok(), matches, "{signatures}");
    }
}

#[test]
fn while_keys_change_either_is_enough() {
    let sender = Signer::new(other_secret()).and(secret());
    let headers = sender.sign(&id(), at(SENT), BODY);
    assert_eq!(headers.signature().split(' ').count(), 2);
    for receiver in [
        Verifier::new(secret()),
        Verifier::new(other_secret()),
        Verifier::new(Secret::from_bytes([2; 32])).or(secret()),
    ] {
        assert_eq!(verify_with(&receiver, &headers, &[], SENT), Ok(()));
    }
    let stranger = Verifier::new(Secret::from_bytes([2; 32]));
    assert_eq!(verify_with(&stranger, &headers, &[], SENT), Err(VerifyError::NoMatchingSignature));
}

#[test]
fn with_ed25519_who_verifies_can_not_sign() {
    let private = PrivateKey::from_seed([3; 32]);
    let headers = Signer::new(private.clone()).sign(&id(), at(SENT), BODY);
    assert!(headers.signature().starts_with("v1a,"));
    assert_eq!(verify_with(&Verifier::new(private.public()), &headers, &[], SENT), Ok(()));

    let other = PrivateKey::from_seed([4; 32]).public();
    let verdict = verify_with(&Verifier::new(other), &headers, &[], SENT);
    assert_eq!(verdict, Err(VerifyError::NoMatchingSignature));
    // Both kinds beside each other, as while an endpoint moves from one to the other.
    let both = Signer::new(secret()).and(private.clone()).sign(&id(), at(SENT), BODY);
    for verifier in [Verifier::new(secret()), Verifier::new(private.public())] {
        assert_eq!(verify_with(&verifier, &both, &[], SENT), Ok(()));
    }
}

fn verify_simply(key: &SimpleKey, signature: &str, timestamp: &str, now: u64) -> Result<(), VerifyError> {
    let header = |name: &str| match name {
        "x-webhook-signature" => Some(signature),
        "x-webhook-timestamp" => Some(timestamp),
        _ => None,
    };
    key.verify(header, BODY, at(now), Verifier::TOLERANCE)
}

#[test]
fn the_simple_scheme_takes_the_whole_text_of_the_secret_as_key() {
    let headers = SimpleKey::from(&secret()).sign(at(SENT), BODY);
    let pasted: SimpleKey = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().expect("a key");
    assert_eq!(pasted.sign(at(SENT), BODY), headers);
    assert_eq!(verify_simply(&pasted, headers.signature(), headers.timestamp(), SENT + 2), Ok(()));
}

#[test]
fn the_simple_scheme_refuses_what_is_forged_late_or_incomplete() {
    let key: SimpleKey = "chosen by the subscriber".parse().expect("a key");
    let headers = key.sign(at(SENT), BODY);
    let (signature, timestamp) = (headers.signature(), headers.timestamp());
    let other: SimpleKey = "chosen by somebody else".parse().expect("a key");
    for (verdict, expected) in [
        (verify_simply(&other, signature, timestamp, SENT), VerifyError::NoMatchingSignature),
        (verify_simply(&key, &signature[2..], timestamp, SENT), VerifyError::NoMatchingSignature),
        (verify_simply(&key, "sha256=nonsense", timestamp, SENT), VerifyError::NoMatchingSignature),
        (verify_simply(&key, "", timestamp, SENT), VerifyError::MissingHeader("x-webhook-signature")),
        (verify_simply(&key, signature, "", SENT), VerifyError::MissingHeader("x-webhook-timestamp")),
        (verify_simply(&key, signature, "now", SENT), VerifyError::MalformedTimestamp("x-webhook-timestamp")),
        (
            verify_simply(&key, signature, timestamp, SENT + 301),
            VerifyError::TooOld(Duration::from_secs(301)),
        ),
    ] {
        assert_eq!(verdict, Err(expected));
    }
    assert!("too short".parse::<SimpleKey>().is_err());
    assert_eq!(format!("{key:?}"), "SimpleKey(..)");
}

#[cfg(feature = "http")]
#[test]
fn the_headers_of_a_request_can_be_handed_in_as_they_are() {
    let mut headers = http::HeaderMap::new();
    for (name, value) in signed().entries() {
        headers.insert(name, value.parse().expect("a value"));
    }
    let verified = Verifier::new(secret()).verify_request(&headers, BODY, at(SENT));
    assert_eq!(verified.map(|message| message.id), Ok("msg_p5jXN8AQM9LWM0D4loKWxJek"));
}

proptest! {
    // Each takes a while where nothing is optimised.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_signed_is_verified(
        key in any::<[u8; 32]>(), id in "[a-zA-Z0-9_-]{1,40}", seconds in 0..10_000_000_000_u64, body: Vec<u8>,
    ) {
        let signer = Signer::new(Secret::from_bytes(key)).and(PrivateKey::from_seed(key));
        let headers = signer.sign(&id.parse().expect("an id"), at(seconds), &body);
        let header = |name: &str| headers.entries().into_iter().find(|(of, _)| *of == name).map(|(_, value)| value);
        let shared = Verifier::new(Secret::from_bytes(key));
        let public = Verifier::new(PrivateKey::from_seed(key).public());
        for verifier in [shared, public] {
            let verified = verifier.verify(header, &body, at(seconds)).expect("genuine");
            prop_assert_eq!(verified.id, &id);
        }
    }
}

proptest! {
    #[test]
    fn no_headers_make_it_panic(id in ".*", timestamp in ".*", signature in ".*") {
        let header = |name: &str| match name {
            "webhook-id" => Some(id.as_str()),
            "webhook-timestamp" => Some(timestamp.as_str()),
            _ => Some(signature.as_str()),
        };
        prop_assert!(Verifier::new(secret()).verify(header, BODY, at(SENT)).is_err());
    }
}
