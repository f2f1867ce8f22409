//! Closed sets of names. A name that the domain adds does not compile here until it is published.

use serde::Serialize;
use utoipa::ToSchema;

macro_rules! names {
    ($($(#[$meta:meta])+ $name:ident from $domain:path { $($variant:ident),+ $(,)? })+) => {$(
        $(#[$meta])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name { $($variant),+ }

        impl From<$domain> for $name {
            fn from(name: $domain) -> Self {
                use $domain as Domain;
                match name { $(Domain::$variant => Self::$variant),+ }
            }
        }
    )+};
}

names! {
    /// Where a build stands. `completed`, `failed` and `cancelled` are final.
    BuildStatus from domain::build::BuildStatus { Queued, Planning, Executing, Completed, Failed, Cancelled }
    /// Where a task stands. `completed`, `failed`, `timeout`, `skipped` and `cancelled` are final.
    TaskStatus from domain::build::TaskStatus {
        Pending, Scheduled, InProgress, Completed, Failed, Timeout, Skipped, Cancelled,
    }
    /// What kind of work a task is.
    TaskType from plan::TaskType {
        CreateFile, ModifyFile, CreateComponent, SetupConfig, InstallDeps, Agent, Command,
    }
    /// Why something failed, in classes to group by.
    FailureClass from domain::FailureClass {
        ModelError, RateLimited, ModelRefused, Credential, Timeout, Crashed, TurnLimit, Budget, NoEvidence,
        CheckFailed, CommandFailed, MergeConflict, InvalidPlan, Repository, Resource, Lost, Internal,
    }
    /// Whether an executor takes work: `draining` ends what it is at and takes nothing new.
    ExecutorState from ports::ExecutorState { Working, Draining }
    /// Who made a plan: the client, with the request, or a model.
    PlanSource from domain::build::PlanSource { Client, Model }
    /// Where a line of output came from: the Claude CLI (one JSON document a line), standard output or error of
    /// a command or check, or the executor itself.
    OutputStream from ports::OutputStream { Claude, Stdout, Stderr, System }
}
