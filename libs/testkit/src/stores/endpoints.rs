//! Webhook endpoints and their secrets.

use super::{Subject, sample::build};
use chrono::{DateTime, Utc};
use domain::{
    Endpoint, EndpointId,
    endpoint::{
        DeliveryOrder, DisabledReason, EndpointEvent, EndpointSpec, EndpointState, PayloadKind, Signatures,
        data,
    },
};
use ports::{
    Append, EndpointFilter, EndpointList, EndpointRow, Kept, Metadata, NewEvent, SealedSecrets, StreamId,
    Version,
};
use std::collections::BTreeMap;
use ulid::Ulid;

fn noon() -> DateTime<Utc> {
    "2026-03-01T12:00:00.123456Z".parse().expect("a time")
}

fn id(n: u128) -> EndpointId {
    EndpointId::new(Ulid(n))
}

pub(super) fn row(n: u128, tenant: &str) -> EndpointRow {
    let spec = EndpointSpec {
        url: format!("https://example.com/{n}"),
        description: "with \0, \u{2028}, 'quotes' and 🦀".into(),
        events: vec!["build_*".into()],
        projects: vec!["shop".parse().expect("a name")],
        labels: BTreeMap::from([("team".into(), String::new())]),
        payload: PayloadKind::Thin,
        header_names: vec!["authorization".into()],
        order: DeliveryOrder::PerBuild,
        rate_per_second: Some(u32::MAX),
        concurrency: 4,
        timeout_seconds: 15,
        signatures: Signatures::HmacAndEd25519,
        build: None,
    };
    let endpoint = Endpoint {
        tenant: tenant.parse().expect("a name"),
        spec,
        state: EndpointState::Enabled,
        from: 7,
        created_at: noon(),
        updated_at: noon(),
    };
    EndpointRow { id: id(n), version: Version(1), endpoint }
}

pub(super) fn newer(row: &EndpointRow, state: EndpointState) -> EndpointRow {
    let endpoint = Endpoint { state, ..row.endpoint.clone() };
    EndpointRow { version: Version(row.version.0 + 1), endpoint, ..row.clone() }
}

fn filter(tenant: &str, limit: usize) -> EndpointFilter {
    EndpointFilter { tenant: tenant.parse().expect("a name"), before: None, limit }
}

async fn listed(list: &dyn EndpointList, tenant: &str) -> Vec<EndpointRow> {
    list.endpoints(&filter(tenant, 100)).await.expect("a page").endpoints
}

/// An older version changes nothing.
pub async fn an_endpoint_is_listed_as_it_was_stored_last_also_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let reason = DisabledReason::Failing { since: noon() };
    let first = row(1, "acme");
    let second = newer(&first, EndpointState::Disabled { at: noon(), reason });
    let list = subject.endpoints();
    for row in [&first, &second, &first] {
        list.put_endpoints(std::slice::from_ref(row)).await.expect("stored");
    }
    list.put_endpoints(&[]).await.expect("nothing to store");
    drop(list);

    let subject = subject.reopened().await;
    let list = subject.endpoints();
    let expected = [second];
    assert_eq!(listed(list.as_ref(), "acme").await, expected);
    assert_eq!(list.all_endpoints(None, 10).await.expect("rows"), expected);
    assert_eq!(list.endpoint_rows(&[id(1), id(2)]).await.expect("rows"), expected);
    assert!(list.endpoint_rows(&[]).await.expect("rows").is_empty());
}

/// Whoever delivers sees all of them.
pub async fn endpoints_are_listed_by_tenant_newest_first_in_pages_without_those_of_one_build<S: Subject>() {
    let subject = S::empty().await;
    let list = subject.endpoints();
    let mut one_off = row(6, "acme");
    one_off.endpoint.spec.build = Some(build(1));
    let rows = [row(1, "acme"), row(2, "other"), row(3, "acme"), row(4, "acme"), one_off.clone()];
    list.put_endpoints(&rows).await.expect("stored");

    let page = list.endpoints(&filter("acme", 2)).await.expect("a page");
    assert_eq!((page.endpoints.as_slice(), page.more), ([row(4, "acme"), row(3, "acme")].as_slice(), true));
    let next = EndpointFilter { before: Some(id(3)), ..filter("acme", 2) };
    let page = list.endpoints(&next).await.expect("a page");
    assert_eq!((page.endpoints.as_slice(), page.more), ([row(1, "acme")].as_slice(), false));

    for (tenant, most, count) in [("acme", 10, 3), ("acme", 2, 2), ("other", 10, 1), ("nobody", 10, 0)] {
        let tenant = tenant.parse().expect("a name");
        assert_eq!(list.count_endpoints(&tenant, most).await.expect("a number"), count);
    }
    let first = list.all_endpoints(None, 3).await.expect("rows");
    assert_eq!(first, rows[..3]);
    assert_eq!(list.all_endpoints(Some(id(3)), 3).await.expect("rows"), rows[3..]);
}

/// Whoever is late stores nothing.
pub async fn what_is_deleted_is_in_no_list_and_does_not_come_back<S: Subject>() {
    let subject = S::empty().await;
    let list = subject.endpoints();
    let deleted = newer(&row(1, "acme"), EndpointState::Deleted);
    for row in [row(1, "acme"), deleted.clone(), row(1, "acme")] {
        list.put_endpoints(&[row]).await.expect("stored");
    }
    assert!(listed(list.as_ref(), "acme").await.is_empty());
    assert!(list.all_endpoints(None, 10).await.expect("rows").is_empty());
    assert_eq!(list.count_endpoints(&deleted.endpoint.tenant, 10).await.expect("a number"), 0);
    assert_eq!(list.endpoint_rows(&[id(1)]).await.expect("rows"), [deleted]);
}

/// Rows can be folded again, secrets cannot.
pub async fn a_reset_forgets_endpoints_and_keeps_secrets<S: Subject>() {
    let subject = S::empty().await;
    let sealed = SealedSecrets { version: Version(1), sealed: vec![1, 2] };
    subject
        .endpoints()
        .put_endpoints(&[newer(&row(1, "acme"), EndpointState::Enabled)])
        .await
        .expect("stored");
    subject.secrets().put_secrets(id(1), &sealed).await.expect("stored");
    subject.read_models().reset().await.expect("reset");
    assert!(subject.endpoints().endpoint_rows(&[id(1)]).await.expect("rows").is_empty());
    subject.endpoints().put_endpoints(&[row(1, "acme")]).await.expect("stored");
    assert_eq!(listed(subject.endpoints().as_ref(), "acme").await, [row(1, "acme")]);
    assert_eq!(subject.secrets().secrets(id(1)).await.expect("read"), Some(sealed));
}

/// Of two who store, the one of the newer version wins whoever comes first.
pub async fn secrets_are_kept_by_version_also_after_opening_again<S: Subject>() {
    let subject = S::empty().await;
    let secrets = subject.secrets();
    let sealed =
        |version: u64, byte: u8| SealedSecrets { version: Version(version), sealed: vec![0, byte, 255] };
    assert_eq!(secrets.secrets(id(1)).await.expect("read"), None);
    for (given, kept) in [
        (sealed(2, 1), Kept::Stored),
        (sealed(2, 2), Kept::Outdated),
        (sealed(1, 3), Kept::Outdated),
        (sealed(4, 4), Kept::Stored),
        (sealed(3, 5), Kept::Outdated),
    ] {
        assert_eq!(secrets.put_secrets(id(1), &given).await.expect("answered"), kept, "{given:?}");
    }
    secrets.put_secrets(id(2), &sealed(1, 9)).await.expect("stored");
    drop(secrets);

    let subject = subject.reopened().await;
    let secrets = subject.secrets();
    assert_eq!(secrets.secrets(id(1)).await.expect("read"), Some(sealed(4, 4)));
    secrets.remove_secrets(id(1)).await.expect("removed");
    secrets.remove_secrets(id(1)).await.expect("nothing to remove");
    assert_eq!(secrets.secrets(id(1)).await.expect("read"), None);
    assert_eq!(secrets.secrets(id(2)).await.expect("read"), Some(sealed(1, 9)));
}

/// Its stream is apart from those of builds.
pub async fn an_event_of_an_endpoint_is_read_from_its_stream<S: Subject>() {
    let subject = S::empty().await;
    let row = row(1, "acme");
    let (tenant, spec) = (row.endpoint.tenant.clone(), row.endpoint.spec.clone());
    let event: EndpointEvent =
        data::EndpointCreated { tenant: tenant.clone(), spec, from: 7, at: noon() }.into();
    let append = Append {
        stream: StreamId::Endpoint(id(1)),
        expected: Version(0),
        events: vec![NewEvent::endpoint(&event).expect("encoded")],
        metadata: Metadata { actor: None, tenant },
        recorded_at: noon(),
    };
    subject.events().append(append).await.expect("stored");
    let subject = subject.reopened().await;
    let events = subject.events().read_stream(StreamId::Endpoint(id(1)), Version(0), 10).await.expect("read");
    let [stored] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((stored.stream.endpoint(), stored.stream.build()), (Some(id(1)), None));
    assert_eq!(stored.endpoint_event().expect("decoded"), event);
}
