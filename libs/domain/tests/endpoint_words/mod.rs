//! The words the stories of an endpoint are told in.

#![allow(dead_code, unreachable_pub, reason = "each test file uses some of them")]

use buildwright_domain::endpoint::{
    DeliveryOrder, EndpointEvent, EndpointSpec, PayloadKind, Signatures, Values, data,
};
use chrono::{DateTime, Utc};
use names::TenantName;
use std::collections::BTreeMap;

/// A second of the test's time.
pub fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

pub fn tenant() -> TenantName {
    "acme".parse().unwrap()
}

/// A spec of which nothing is left out but the build.
pub fn spec() -> EndpointSpec {
    EndpointSpec {
        url: "https://hooks.example.com/in".into(),
        description: "chat".into(),
        events: vec!["build_*".into(), "task_failed".into()],
        projects: vec!["shop".parse().unwrap()],
        labels: BTreeMap::from([("team".to_owned(), "web".to_owned())]),
        payload: PayloadKind::Thin,
        header_names: vec!["authorization".into()],
        order: DeliveryOrder::PerBuild,
        rate_per_second: Some(20),
        concurrency: 4,
        timeout_seconds: 15,
        signatures: Signatures::HmacAndEd25519,
        build: None,
    }
}

pub fn created() -> EndpointEvent {
    data::EndpointCreated { tenant: tenant(), spec: spec(), from: 41, at: at(0) }.into()
}

pub fn updated(spec: EndpointSpec) -> EndpointEvent {
    data::EndpointUpdated { spec, header_values: Values::Kept, at: at(1) }.into()
}

pub fn deleted() -> EndpointEvent {
    data::EndpointDeleted { at: at(5) }.into()
}
