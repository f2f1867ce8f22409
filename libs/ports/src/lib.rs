//! What Buildwright needs of the world, as traits with their values and errors. Adapters implement them;
//! services are handed them; only the binary knows which adapter stands behind which.

mod artifacts;
mod bus;
mod clock;
mod deliveries;
mod endpoints;
mod events;
mod idempotency;
mod keys;
mod leadership;
mod output;
mod read_models;
mod results;
mod roster;
mod snapshots;
mod wire;

pub use artifacts::{ArtifactError, ArtifactKey, ArtifactStore};
pub use bus::{
    Answer, BusError, Confirmation, ExecutorName, Handout, Lease, Offered, OutcomeBus, OutcomeReport,
    Receipt, Received, TaskInput, TaskQueue, WorkKind, WorkOrder,
};
pub use clock::{Chance, Clock, Ids, NoChance};
pub use deliveries::{
    AttemptError, Deliveries, DeliveriesKnown, Delivery, DeliveryAttempt, DeliveryBacklog, DeliveryBatch,
    DeliveryFilter, DeliveryId, DeliveryIdError, DeliveryPage, DeliveryProgress, DeliveryStatus, Pings,
};
pub use endpoints::{
    EndpointFilter, EndpointList, EndpointPage, EndpointRow, EndpointSecrets, Kept, SealedSecrets,
};
pub use events::{
    Append, AppendError, Appended, EventStore, Metadata, NewEvent, Position, RecordedEvent, StoreError,
    StreamId, TenantPage, Version,
};
pub use idempotency::{
    Abandoned, BeginRequest, Begun, Claim, Fingerprint, Idempotency, IdempotencyKey, KeptAnswer,
};
pub use keys::{
    ApiKey, ApiKeys, Created, KeyChange, KeyDigest, KeyFilter, KeyLimits, KeyPage, KeyState, KeyText,
    KeyTextError, Principal,
};
pub use leadership::{Leadership, Term};
pub use output::{OutputChunk, OutputLine, OutputLog, OutputStream};
pub use read_models::{BuildFilter, BuildPage, BuildSummary, ReadModels, TaskCounts};
pub use results::{DiffText, FileEntry, ResultError, Results};
pub use roster::{BreakerState, ExecutorState, ExecutorStatus, Roster, RunningWork};
pub use snapshots::{Snapshot, Snapshots};
pub use wire::WireError;
