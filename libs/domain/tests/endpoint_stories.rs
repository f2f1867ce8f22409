//! What an endpoint decides, told as given events, when a command comes, then these events.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod endpoint_words;

use buildwright_domain::{
    BuildId, Endpoint,
    build::{BuildSpec, Limits},
    endpoint::{
        Command, DisabledReason, EndpointEvent, EndpointSpec, EndpointState, Rejection, Values, data,
    },
};
use endpoint_words::*;
use std::collections::BTreeMap;
use ulid::Ulid;

type Decided = Result<Vec<EndpointEvent>, Rejection>;

fn when(given: &[EndpointEvent], command: Command) -> Decided {
    Endpoint::decide(Endpoint::fold(given).as_ref(), command)
}

fn then(events: &[EndpointEvent]) -> Decided {
    Ok(events.to_vec())
}

fn state(events: &[EndpointEvent]) -> EndpointState {
    Endpoint::fold(events).unwrap().state
}

#[test]
fn an_endpoint_is_created_once_and_told_of_what_comes_after() {
    let create = Command::Create { tenant: tenant(), spec: spec(), from: 41, at: at(0) };
    assert_eq!(when(&[], create.clone()), then(&[created()]));
    assert_eq!(when(&[created()], create.clone()), Err(Rejection::AlreadyCreated));
    assert_eq!(when(&[created(), deleted()], create), Err(Rejection::AlreadyCreated));

    let endpoint = Endpoint::fold(&[created()]).unwrap();
    assert_eq!((endpoint.tenant, endpoint.from, endpoint.state), (tenant(), 41, EndpointState::Enabled));
    assert_eq!((endpoint.created_at, endpoint.updated_at), (at(0), at(0)));
}

#[test]
fn nothing_can_be_asked_of_an_endpoint_that_is_not_there() {
    let commands = [
        Command::Update { spec: spec(), values: Values::Kept, at: at(1) },
        Command::Disable { reason: DisabledReason::Gone, at: at(1) },
        Command::Enable { from: 1, at: at(1) },
        Command::RotateSecret { old_valid_until: at(9), at: at(1) },
    ];
    for command in commands {
        assert_eq!(when(&[], command.clone()), Err(Rejection::Unknown));
        assert_eq!(when(&[created(), deleted()], command), Err(Rejection::Unknown));
    }
    assert_eq!(when(&[], Command::Delete { at: at(1) }), Err(Rejection::Unknown));
}

#[test]
fn an_update_that_changes_nothing_is_no_event_but_new_values_of_headers_are() {
    let update = |spec, values| Command::Update { spec, values, at: at(1) };
    assert_eq!(when(&[created()], update(spec(), Values::Kept)), then(&[]));
    let replaced = data::EndpointUpdated { spec: spec(), header_values: Values::Replaced, at: at(1) }.into();
    assert_eq!(when(&[created()], update(spec(), Values::Replaced)), then(&[replaced]));

    let slower = EndpointSpec { rate_per_second: Some(1), ..spec() };
    let events = [created(), updated(slower.clone())];
    assert_eq!(when(&events[..1], update(slower.clone(), Values::Kept)), then(&events[1..]));
    let endpoint = Endpoint::fold(&events).unwrap();
    assert_eq!((endpoint.spec, endpoint.created_at, endpoint.updated_at), (slower, at(0), at(1)));
}

#[test]
fn the_build_that_an_endpoint_was_made_for_stays() {
    let other = EndpointSpec { build: Some(BuildId::new(Ulid(7))), ..spec() };
    let update = Command::Update { spec: other, values: Values::Kept, at: at(1) };
    assert_eq!(when(&[created()], update), Err(Rejection::OtherBuild));
}

#[test]
fn a_disabled_endpoint_keeps_its_first_reason_and_begins_anew_when_it_is_enabled() {
    let disable = |reason| Command::Disable { reason, at: at(2) };
    let failing = DisabledReason::Failing { since: at(1) };
    let off: EndpointEvent = data::EndpointDisabled { reason: failing, at: at(2) }.into();
    assert_eq!(when(&[created()], disable(failing)), then(std::slice::from_ref(&off)));
    let events = [created(), off];
    assert_eq!(state(&events), EndpointState::Disabled { at: at(2), reason: failing });
    assert_eq!(when(&events, disable(DisabledReason::ByClient)), then(&[]));

    let enable = Command::Enable { from: 99, at: at(3) };
    let on: EndpointEvent = data::EndpointEnabled { from: 99, at: at(3) }.into();
    assert_eq!(when(&events, enable.clone()), then(std::slice::from_ref(&on)));
    let events = [&events[..], &[on]].concat();
    assert_eq!((state(&events), Endpoint::fold(&events).unwrap().from), (EndpointState::Enabled, 99));
    assert_eq!(when(&events, enable), then(&[]));
}

#[test]
fn a_secret_can_be_rotated_again_and_again() {
    let rotate = Command::RotateSecret { old_valid_until: at(90), at: at(4) };
    let rotated: EndpointEvent = data::EndpointSecretRotated { old_valid_until: at(90), at: at(4) }.into();
    assert_eq!(when(&[created()], rotate.clone()), then(std::slice::from_ref(&rotated)));
    assert_eq!(when(&[created(), rotated.clone()], rotate), then(&[rotated]));
}

#[test]
fn what_is_deleted_stays_deleted() {
    let delete = Command::Delete { at: at(5) };
    assert_eq!(when(&[created()], delete.clone()), then(&[deleted()]));
    let events = [created(), deleted()];
    assert_eq!(state(&events), EndpointState::Deleted);
    assert_eq!(when(&events, delete), then(&[]));
}

#[test]
fn a_stream_without_its_beginning_is_no_endpoint() {
    assert_eq!(Endpoint::fold(&[deleted()]), None);
}

#[test]
fn an_endpoint_hears_of_builds_by_project_label_and_id() {
    let (one, other) = (BuildId::new(Ulid(1)), BuildId::new(Ulid(2)));
    let build = BuildSpec {
        prompt: "make a page".into(),
        project: "shop".parse().unwrap(),
        repository: None,
        framework: None,
        model: "opus".into(),
        limits: Limits::default(),
        labels: BTreeMap::from([("team".into(), "web".into()), ("env".into(), "dev".into())]),
        tenant: tenant(),
        priority: Default::default(),
        pool: Default::default(),
        webhook: None,
    };
    let labels = |value: &str| BTreeMap::from([("team".to_owned(), value.to_owned())]);
    let all = EndpointSpec { projects: Vec::new(), labels: BTreeMap::new(), ..spec() };
    assert!(all.wants(one, &build));
    assert!(EndpointSpec { labels: labels("web"), ..all.clone() }.wants(one, &build));
    assert!(!EndpointSpec { labels: labels("api"), ..all.clone() }.wants(one, &build));
    assert!(EndpointSpec { projects: vec!["shop".parse().unwrap()], ..all.clone() }.wants(one, &build));
    assert!(!EndpointSpec { projects: vec!["blog".parse().unwrap()], ..all.clone() }.wants(one, &build));
    let of_one = EndpointSpec { build: Some(one), ..all };
    assert!(of_one.wants(one, &build) && !of_one.wants(other, &build));
}
