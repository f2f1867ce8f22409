//! API keys.

use super::Subject;
use chrono::{DateTime, TimeDelta, Utc};
use names::{KeyId, Scope};
use ports::{ApiKey, ApiKeys, Created, KeyChange, KeyFilter, KeyLimits, KeyText};
use std::num::NonZeroU32;
use ulid::Ulid;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00.123456Z".parse().expect("a time")
}

fn id(n: u8) -> KeyId {
    KeyId::new(Ulid(n.into()))
}

fn text(n: u8) -> KeyText {
    KeyText::from_random(&[n; 8], &[n; 32])
}

fn key(n: u8, tenant: &str) -> ApiKey {
    let text = text(n);
    ApiKey {
        id: id(n),
        prefix: text.prefix().clone(),
        digest: text.digest(),
        name: format!("key no. {n} “🦀”").parse().expect("a name"),
        tenant: tenant.parse().expect("a name"),
        scopes: [Scope::BuildsRead, Scope::AuditRead].into_iter().collect(),
        limits: KeyLimits::default(),
        created: KeyChange { at: noon(), by: "cli:ann".into() },
        expires_at: None,
        revoked: None,
        last_used_at: None,
    }
}

async fn create(keys: &dyn ApiKeys, key: &ApiKey) {
    assert_eq!(keys.create_key(key).await.expect("stored"), Created::Stored);
}

/// With all that can be said of a key, and with nothing of it.
pub async fn a_key_is_found_as_it_was_stored_also_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let full = ApiKey {
        limits: KeyLimits { requests_per_minute: NonZeroU32::new(u32::MAX), open_builds: NonZeroU32::new(1) },
        expires_at: Some(noon() + TimeDelta::days(90)),
        revoked: Some(KeyChange { at: noon(), by: "key_x".into() }),
        last_used_at: Some(noon()),
        ..key(1, "acme")
    };
    create(subject.keys().as_ref(), &full).await;
    create(subject.keys().as_ref(), &key(2, "default")).await;
    let subject = subject.reopened().await;
    let keys = subject.keys();
    assert_eq!(keys.find_key(&full.prefix).await.expect("read"), Some(full));
    assert_eq!(keys.find_key(text(2).prefix()).await.expect("read"), Some(key(2, "default")));
    assert_eq!(keys.find_key(text(3).prefix()).await.expect("read"), None);
}

/// By a prefix one key is found.
pub async fn a_prefix_is_given_out_once<S: Subject>() {
    let subject = S::empty().await;
    let keys = subject.keys();
    create(keys.as_ref(), &key(1, "acme")).await;
    let other = ApiKey { id: id(2), ..key(1, "default") };
    assert_eq!(keys.create_key(&other).await.expect("answered"), Created::PrefixTaken);
    assert_eq!(keys.find_key(&other.prefix).await.expect("read"), Some(key(1, "acme")));
}

/// Of one tenant or of all.
pub async fn keys_are_listed_newest_first_by_tenant_and_in_pages<S: Subject>() {
    let subject = S::empty().await;
    let keys = subject.keys();
    for n in 1..=7 {
        create(keys.as_ref(), &key(n, if n % 2 == 0 { "even" } else { "odd" })).await;
    }
    let page = async |tenant: Option<&str>, before: Option<u8>| {
        let tenant = tenant.map(|name| name.parse().expect("a name"));
        let filter = KeyFilter { tenant, before: before.map(id), limit: 3 };
        let page = keys.keys(&filter).await.expect("a page");
        (page.keys.iter().map(|key| key.id).collect::<Vec<_>>(), page.more)
    };
    assert_eq!(page(None, None).await, ([7, 6, 5].map(id).to_vec(), true));
    assert_eq!(page(None, Some(3)).await, ([2, 1].map(id).to_vec(), false));
    assert_eq!(page(Some("odd"), None).await, ([7, 5, 3].map(id).to_vec(), true));
    assert_eq!(page(Some("odd"), Some(3)).await, ([1].map(id).to_vec(), false));
    assert_eq!(page(Some("even"), None).await, ([6, 4, 2].map(id).to_vec(), false));
    assert_eq!(page(Some("none"), None).await, (vec![], false));
}

/// Who was first stays known.
pub async fn a_key_is_revoked_once_and_for_good<S: Subject>() {
    let subject = S::empty().await;
    let keys = subject.keys();
    create(keys.as_ref(), &key(1, "acme")).await;
    let first = KeyChange { at: noon(), by: "cli:ann".into() };
    let later = KeyChange { at: noon() + TimeDelta::seconds(1), by: "cli:bob".into() };
    let revoked = ApiKey { revoked: Some(first.clone()), ..key(1, "acme") };
    for change in [first, later] {
        assert_eq!(keys.revoke_key(id(1), &change).await.expect("answered"), Some(revoked.clone()));
    }
    assert_eq!(keys.find_key(&revoked.prefix).await.expect("read"), Some(revoked));
    let nobody = KeyChange { at: noon(), by: "cli:ann".into() };
    assert_eq!(keys.revoke_key(id(2), &nobody).await.expect("answered"), None);
}

/// Several at once, of which some may not exist.
pub async fn uses_are_noted_and_never_go_back<S: Subject>() {
    let subject = S::empty().await;
    let keys = subject.keys();
    for n in [1, 2] {
        create(keys.as_ref(), &key(n, "acme")).await;
    }
    let at = |seconds| noon() + TimeDelta::seconds(seconds);
    keys.note_used(&[(id(1), at(5)), (id(2), at(1)), (id(9), at(1))]).await.expect("noted");
    keys.note_used(&[(id(1), at(3)), (id(2), at(2))]).await.expect("noted");
    keys.note_used(&[]).await.expect("nothing to note");
    for (n, seconds) in [(1, 5), (2, 2)] {
        let found = keys.find_key(text(n).prefix()).await.expect("read").expect("a key");
        assert_eq!(found.last_used_at, Some(at(seconds)), "{n}");
    }
}

/// One that is neither revoked nor expired.
pub async fn whether_any_key_can_be_used_is_known<S: Subject>() {
    let subject = S::empty().await;
    let keys = subject.keys();
    assert!(!keys.any_usable_key(noon()).await.expect("read"));
    let revoked = KeyChange { at: noon(), by: "cli:ann".into() };
    create(keys.as_ref(), &ApiKey { revoked: Some(revoked.clone()), ..key(1, "acme") }).await;
    create(keys.as_ref(), &ApiKey { expires_at: Some(noon()), ..key(2, "acme") }).await;
    assert!(!keys.any_usable_key(noon()).await.expect("read"));
    assert!(keys.any_usable_key(noon() - TimeDelta::seconds(1)).await.expect("read"));
    create(keys.as_ref(), &key(3, "acme")).await;
    assert!(keys.any_usable_key(noon()).await.expect("read"));
    keys.revoke_key(id(3), &revoked).await.expect("revoked");
    assert!(!keys.any_usable_key(noon()).await.expect("read"));
}
