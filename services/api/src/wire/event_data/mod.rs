//! The catalogue of events: what the `data` of each type looks like, for clients. The domain's own types have no
//! schemas, so that nothing of HTTP is known there; that these are true is what `openapi/checks` finds out, with the
//! domain's golden files and with the events of a build.

#![expect(dead_code, reason = "only the schemas of these types are used")]

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{AnyOfBuilder, Ref, Schema},
    },
};

/// A type of event.
pub(crate) struct EventKind {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) summary: &'static str,
    /// The name of the schema of its data.
    pub(crate) data: &'static str,
}

type Schemas = Vec<(String, RefOr<Schema>)>;

/// Declares the schemas of the data of events, `KINDS`, and how their schemas are added to a document.
macro_rules! catalogue {
    ($($kind:literal $schema:ident $summary:literal {
        $($(#[$meta:meta])* $field:ident: $type:ty,)*
    })+) => {
        $(
            #[derive(utoipa::ToSchema)]
            #[schema(rename_all = "camelCase", description = $summary)]
            pub(crate) struct $schema { $($(#[$meta])* $field: $type,)* }
        )+

        pub(crate) const KINDS: &[super::EventKind] = &[
            $(super::EventKind { name: $kind, summary: $summary, data: stringify!($schema) }),+
        ];

        pub(super) fn add(schemas: &mut super::Schemas) {
            $(
                schemas.push((stringify!($schema).to_owned(), <$schema as utoipa::PartialSchema>::schema()));
                <$schema as utoipa::ToSchema>::schemas(schemas);
            )+
        }
    };
}

mod builds;
mod endpoints;
mod parts;

pub(crate) use builds::KINDS as BUILD_EVENTS;
pub(crate) use endpoints::KINDS as ENDPOINT_EVENTS;

/// The data of an event: one of the schemas of the catalogue, by the event's type.
pub(crate) struct EventData;

impl PartialSchema for EventData {
    fn schema() -> RefOr<Schema> {
        BUILD_EVENTS
            .iter()
            .chain(ENDPOINT_EVENTS)
            .fold(AnyOfBuilder::new(), |any, kind| any.item(Ref::from_schema_name(kind.data)))
            .description(Some("The particulars of an event, by its type."))
            .into()
    }
}

impl ToSchema for EventData {
    fn schemas(schemas: &mut Schemas) {
        builds::add(schemas);
        endpoints::add(schemas);
    }
}
