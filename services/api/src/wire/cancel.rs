use crate::{
    ApiSettings,
    read::{Fields, FromJson, Problems},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Why a build is stopped.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CancelBuild {
    /// In the words of who stops it.
    #[schema(max_length = 1_000)]
    pub(crate) reason: Option<String>,
}

impl FromJson for CancelBuild {
    fn from_json(value: Value, _: &ApiSettings, problems: &mut Problems) -> Self {
        let mut fields = Fields::of(value, "", problems);
        let reason = fields.text("reason").filter(|reason| !reason.trim().is_empty());
        if reason.as_ref().is_some_and(|reason| reason.chars().count() > 1_000) {
            fields.problem("reason", "must have at most 1000 characters");
        }
        fields.finish();
        Self { reason }
    }
}
