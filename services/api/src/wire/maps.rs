//! Maps whose keys are the clients' or the models' own.

use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

/// Most characters of the value of a label.
pub(crate) const LABEL_VALUE_CHARS: usize = 255;
/// Most characters of the key of a label.
pub(crate) const LABEL_KEY_CHARS: usize = 63;
/// No control characters.
const NO_CONTROL: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
/// More models than any build uses.
const MODELS: usize = 1_000;

/// The labels of a build.
pub(crate) fn labels() -> ObjectBuilder {
    let key = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(LABEL_KEY_CHARS))
        .pattern(Some("^[A-Za-z0-9._/-]+$"));
    let value = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(LABEL_VALUE_CHARS))
        .pattern(Some(NO_CONTROL));
    ObjectBuilder::new()
        .description(Some("The client's own labels."))
        .max_properties(Some(64))
        .property_names(Some(key))
        .additional_properties(Some(value))
}

/// Something for every model that was used.
pub(crate) fn by_model(each: impl Into<RefOr<Schema>>) -> ObjectBuilder {
    let name = ObjectBuilder::new().schema_type(Type::String).max_length(Some(256));
    ObjectBuilder::new()
        .description(Some("By the name of the model."))
        .max_properties(Some(MODELS))
        .property_names(Some(name))
        .additional_properties(Some(each.into()))
}
