//! Texts of a certain form, as schemas with names of their own. Bounds come from where they are enforced.

use super::{LABEL_KEY_CHARS, LABEL_VALUE_CHARS};
use names::{BranchName, ProjectName, RelativePath, RepositoryUrl};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

macro_rules! texts {
    ($($name:ident: $doc:literal, $lengths:expr, $pattern:expr, $example:literal;)+) => {$(
        #[doc = $doc]
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let (least, most): (usize, usize) = $lengths;
                let pattern: Option<&str> = $pattern;
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some($doc))
                    .min_length(Some(least))
                    .max_length(Some(most))
                    .pattern(pattern)
                    .examples([$example])
                    .into()
            }
        }

        impl ToSchema for $name {}
    )+};
}

texts! {
    BuildId: "The id of a build.", (30, 30),
        Some("^bld_[0-9A-Z]{26}$"), "bld_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    TaskId: "The id of a task: of its build, and its number in the plan.", (32, 41),
        Some("^tsk_[0-9A-Z]{26}_[0-9]{1,10}$"), "tsk_01ARZ3NDEKTSV4RRFFQ69G5FAV_0";
    EventId: "The id of an event: of its build, and the version it brought.", (32, 51),
        Some("^evt_[0-9A-Z]{26}_[0-9]{1,20}$"), "evt_01ARZ3NDEKTSV4RRFFQ69G5FAV_1";
    EndpointId: "The id of a webhook endpoint.", (30, 30),
        Some("^whk_[0-9A-Z]{26}$"), "whk_01ARZ3NDEKTSV4RRFFQ69G5FAV";
    DeliveryId: "The id of a delivery: of its endpoint, and the place of its event.", (32, 51),
        Some("^dlv_[0-9A-Z]{26}_[0-9]{1,20}$"), "dlv_01ARZ3NDEKTSV4RRFFQ69G5FAV_1";
    WebhookUrl: "Where events are delivered: `https://…` or `http://…` to a public address, without credentials.",
        (8, 2_048), Some("^https?://"), "https://example.com/hooks";
    EventGlob: "Types of events: one (`build_completed`), those that begin so (`build_*`), or all (`*`).",
        (1, 100), Some("^[A-Za-z0-9_.]*\\*?$"), "build_*";
    WebhookSecret: "What messages are signed with: `whsec_` and the base64 of 24 to 64 random bytes.", (38, 94),
        Some("^whsec_[A-Za-z0-9+/]+={0,2}$"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    WebhookPublicKey: "What `v1a` signatures are verified with: `whpk_` and base64.", (49, 49),
        Some("^whpk_[A-Za-z0-9+/]{43}=$"), "whpk_OjAlS1wWoIVoJvVQPWoJ9oVd0g3dT0zcgPjXM8+JHq0=";
    HeaderName: "The name of a header, in lower case.", (1, 100), Some("^[a-z0-9-]+$"), "authorization";
    CommitId: "A git commit.", (40, 64),
        Some("^([0-9a-f]{40}|[0-9a-f]{64})$"), "0123456789abcdef0123456789abcdef01234567";
    Project: "A project's name.", (1, ProjectName::MAX_BYTES),
        Some("^[a-z0-9][a-z0-9._-]*$"), "todo";
    Pool: "A pool of executors.", (1, FLEET_NAME),
        Some("^[a-z0-9][a-z0-9-]*$"), "default";
    ExecutorLabel: "What a task may ask of its executor.", (1, FLEET_NAME),
        Some("^[a-z0-9][a-z0-9-]*$"), "gpu";
    TaskKey: "The name of a task in its plan.", (1, 64),
        Some("^[A-Za-z0-9][A-Za-z0-9._-]*$"), "page";
    ModelName: "The name of a model, as the Claude CLI takes it.", (1, 128),
        Some("^[A-Za-z0-9][A-Za-z0-9_.:/@\\[\\]-]*$"), "sonnet";
    Branch: "The name of a git branch.", (1, BranchName::MAX_BYTES), None, "main";
    RepositoryAddress: "Where a repository is: `https://…` or `ssh://…`, without credentials; \
        a local path where those are allowed.",
        (1, RepositoryUrl::MAX_CHARS), Some("^(https://|ssh://|/)"), "https://example.com/shop.git";
    FilePath: "A path from the root of the repository.", (1, RelativePath::MAX_BYTES), None, "src/main.rs";
    LabelFilter: "A label, as `key:value`.", (2, LABEL_KEY_CHARS + 1 + LABEL_VALUE_CHARS),
        Some("^[A-Za-z0-9._/-]{1,63}:"), "team:web";
    Cursor: "Where a page ended.", (1, 64), Some("^[A-Za-z0-9_-]+$"), "YmxkXzAxQVJaM05ERUtUU1Y0UlJGRlE2OUc1RkFW";
    EndpointCursor: "Where a page of endpoints ended.", (1, 64), Some("^[A-Za-z0-9_-]+$"), "d2hrXzAxQVJaM05ERUtUU1Y0UlJGRlE2OUc1RkFW";
    DeliveryCursor: "Where a page of deliveries ended.", (1, 64), Some("^[A-Za-z0-9_-]+$"), "Nw";
    ExecutorText: "The name of an executor, different at every start.", (1, 128), None,
        "executor-01ARZ3NDEKTSV4RRFFQ69G5FAV";
    SessionId: "The session of a run of Claude.", (0, 256), None, "9a1f7d30-5a0e-4c3e-9a43-2d8f6c1b7e55";
}

/// The longest name of a pool or label.
const FLEET_NAME: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn longest<T: FromStr>(schema: RefOr<Schema>) {
        let schema = serde_json::to_value(schema).unwrap();
        let most = usize::try_from(schema["maxLength"].as_u64().unwrap()).unwrap();
        assert!("a".repeat(most).parse::<T>().is_ok(), "{schema}");
        assert!("a".repeat(most + 1).parse::<T>().is_err(), "{schema}");
    }

    #[test]
    fn a_text_may_be_as_long_as_its_schema_says_and_no_longer() {
        longest::<names::ProjectName>(Project::schema());
        longest::<names::PoolName>(Pool::schema());
        longest::<names::ExecutorLabel>(ExecutorLabel::schema());
        longest::<names::BranchName>(Branch::schema());
        for (most, schema) in [(128, ModelName::schema()), (64, TaskKey::schema())] {
            assert_eq!(serde_json::to_value(schema).unwrap()["maxLength"], most);
        }
        assert!(
            plan::names_no_model(&"a".repeat(128)).is_none()
                && plan::names_no_model(&"a".repeat(129)).is_some()
        );
        let key = |most| plan::TaskKey::try_from("a".repeat(most));
        assert!(key(64).is_ok() && key(65).is_err());
    }
}
