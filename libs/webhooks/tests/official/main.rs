//! The official libraries for JavaScript and Python understand us, we understand them, and the
//! examples in the README are true.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod judges;

use std::time::{Duration, SystemTime};

use buildwright_webhooks::{
    Headers, MessageId, PrivateKey, Secret, Signer, SimpleKey, Verifier, VerifyError, VerifyingKey,
};
use judges::Judge;
use serde_json::{Value, json};

/// With what JSON, base64 and hex could trip over.
const BODY: &str = r#"{"type":"build_completed","data":{"text":"Grüße, \"日本\" 🎉\n","cost":1.50}}"#;
const ID: &str = "evt_01JABC_7";
const JUDGES: [Judge; 2] = [Judge::JavaScript, Judge::Python];

/// The judges know no clock but the real one.
#[expect(clippy::disallowed_methods, reason = "the official libraries compare with the clock")]
fn now() -> SystemTime {
    SystemTime::now()
}

fn id() -> MessageId {
    ID.parse().expect("an id")
}

fn secret(byte: u8) -> Secret {
    Secret::from_bytes([byte; 32])
}

fn signed(signer: &Signer, at: SystemTime) -> Headers {
    signer.sign(&id(), at, BODY.as_bytes())
}

fn to_verify(secret: &Secret, headers: &Headers, body: &str) -> Value {
    let headers: serde_json::Map<String, Value> =
        headers.entries().into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({"judge": "verify", "secret": *secret.reveal(), "headers": headers, "body": body})
}

#[test]
fn what_we_sign_is_genuine_to_the_official_libraries() {
    let headers = signed(&Signer::new(secret(1)), now());
    for judge in JUDGES {
        assert_eq!(judge.of(&[to_verify(&secret(1), &headers, BODY)]), ["genuine"], "{judge:?}");
    }
}

#[test]
fn while_keys_change_a_receiver_may_know_the_old_or_the_new_one() {
    let private = PrivateKey::from_seed([3; 32]);
    let headers = signed(&Signer::new(secret(2)).and(private).and(secret(1)), now());
    let cases = [1, 2, 4].map(|byte| to_verify(&secret(byte), &headers, BODY));
    for judge in JUDGES {
        assert_eq!(judge.of(&cases), ["genuine", "genuine", "No matching signature found"], "{judge:?}");
    }
}

#[test]
fn what_was_changed_or_is_late_is_not_genuine_to_the_official_libraries() {
    let signer = Signer::new(secret(1));
    let hour = Duration::from_secs(3_600);
    let cases = [
        to_verify(&secret(1), &signed(&signer, now()), &BODY.replace("1.50", "9.50")),
        to_verify(&secret(1), &signed(&signer, now() - hour), BODY),
        to_verify(&secret(1), &signed(&signer, now() + hour), BODY),
    ];
    let verdicts = ["No matching signature found", "Message timestamp too old", "Message timestamp too new"];
    for judge in JUDGES {
        assert_eq!(judge.of(&cases), verdicts, "{judge:?}");
    }
}

#[test]
fn what_the_official_libraries_sign_is_genuine_to_us() {
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
    let case = json!({"judge": "sign", "secret": *secret(1).reveal(), "id": ID, "timestamp": 1_614_265_330, "body": BODY});
    for judge in JUDGES {
        let signature = judge.of(std::slice::from_ref(&case))[0].as_str().expect("a signature").to_owned();
        assert_eq!(signature, signed(&Signer::new(secret(1)), at).signature(), "{judge:?}");

        let after_another = format!("v1,{} {signature}", "A".repeat(44));
        for signatures in [&signature, &after_another] {
            let verdict = |key, body| verdict(key, signatures, body, at);
            assert_eq!(verdict(secret(1).into(), BODY), Ok(()), "{judge:?}");
            assert_eq!(verdict(secret(2).into(), BODY), Err(VerifyError::NoMatchingSignature), "{judge:?}");
            assert_eq!(verdict(secret(1).into(), "{}"), Err(VerifyError::NoMatchingSignature), "{judge:?}");
        }
    }
}

#[test]
fn nodes_own_ed25519_and_ours_understand_each_other() {
    let private = PrivateKey::from_seed([7; 32]);
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_614_265_330);
    let headers = signed(&Signer::new(private.clone()), at);
    let message = json!({
        "id": ID, "timestamp": 1_614_265_330, "body": BODY, "signature": headers.signature(),
        "publicKey": private.public().to_string(), "privateKey": *private.reveal(),
    });
    let case = |judge: &str, body: &str| {
        let mut case = message.clone();
        case["judge"] = judge.into();
        case["body"] = body.into();
        case
    };
    let verdicts = Judge::JavaScript.of(&[
        case("ed25519Verify", BODY),
        case("ed25519Verify", "{}"),
        case("ed25519Sign", BODY),
    ]);
    assert_eq!(verdicts[..2], [true, false]);
    let signature = verdicts[2].as_str().expect("a signature");
    assert_eq!(verdict(private.public().into(), signature, BODY, at), Ok(()));
}

#[test]
fn a_receiver_of_the_simple_scheme_does_it_as_the_readme_says() {
    let headers = SimpleKey::from(&secret(1)).sign(now(), BODY.as_bytes());
    let case = |secret: &Secret, signature: &str, body: &str| json!({"judge": "simple", "secret": *secret.reveal(), "signature": signature, "body": body});
    let cases = [
        case(&secret(1), headers.signature(), BODY),
        case(&secret(2), headers.signature(), BODY),
        case(&secret(1), headers.signature(), "{}"),
        case(&secret(1), "", BODY),
    ];
    for judge in JUDGES {
        assert_eq!(judge.of(&cases), [true, false, false, false], "{judge:?}");
    }
}

fn verdict(key: VerifyingKey, signatures: &str, body: &str, at: SystemTime) -> Result<(), VerifyError> {
    let timestamp = at.duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs().to_string();
    let header = |name: &str| match name {
        "webhook-id" => Some(ID),
        "webhook-timestamp" => Some(timestamp.as_str()),
        "webhook-signature" => Some(signatures),
        _ => None,
    };
    Verifier::new(key).verify(header, body.as_bytes(), at).map(|_| ())
}
