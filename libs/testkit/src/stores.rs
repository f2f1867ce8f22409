//! What every event store with read models promises. Give a [`Subject`] to [`store_conformance`] and each
//! promise becomes a test.
//!
//! [`store_conformance`]: crate::store_conformance

pub mod appending;
pub mod deliveries;
pub mod endpoints;
pub mod following;
pub mod idempotency;
pub mod keys;
pub mod listing;
pub mod payloads;
pub mod projecting;
pub mod sample;
pub mod snapshots;
pub mod tenants;

use ports::{
    ApiKeys, Deliveries, EndpointList, EndpointSecrets, EventStore, Idempotency, ReadModels, Snapshots,
};
use std::sync::Arc;

/// A store to be tested, on data of its own.
pub trait Subject: Sized + Send + Sync {
    /// A store without events.
    fn empty() -> impl Future<Output = Self>;

    /// The same data, opened again by somebody who remembers nothing; the store before is not closed, only
    /// dropped.
    fn reopened(self) -> impl Future<Output = Self>;

    /// Its events.
    fn events(&self) -> Arc<dyn EventStore>;

    /// Its snapshots.
    fn snapshots(&self) -> Arc<dyn Snapshots>;

    /// Its requests that may come twice.
    fn idempotency(&self) -> Arc<dyn Idempotency>;

    /// Its read models.
    fn read_models(&self) -> Arc<dyn ReadModels>;

    /// Its API keys.
    fn keys(&self) -> Arc<dyn ApiKeys>;

    /// Its deliveries.
    fn deliveries(&self) -> Arc<dyn Deliveries>;

    /// Its webhook endpoints.
    fn endpoints(&self) -> Arc<dyn EndpointList>;

    /// The secrets of its webhook endpoints.
    fn secrets(&self) -> Arc<dyn EndpointSecrets>;
}

/// One test for each promise, against a [`Subject`](crate::stores::Subject).
#[macro_export]
macro_rules! store_conformance {
    ($subject:ty) => {
        $crate::promises!($subject;
            appending {
                an_event_is_read_as_it_was_written_from_memory_and_from_disk
                a_stream_is_read_in_pages
                the_log_is_read_in_pages_from_any_place
                an_append_that_expected_another_version_stores_nothing
                versions_are_known_after_opening_again
                appends_that_wait_together_are_judged_one_after_another
                a_large_append_is_stored_whole
                writers_that_race_leave_one_dense_log
                an_append_of_several_events_is_stored_whole_or_not_at_all
            }
            payloads {
                any_json_comes_back_byte_by_byte
                a_megabyte_comes_back
                any_actor_comes_back
                times_are_kept_to_the_microsecond
            }
            following {
                followers_see_each_event_once_and_in_order
                the_head_wakes_whoever_waits
            }
            snapshots {
                a_snapshot_is_read_as_it_was_saved_last_also_after_opening_again
                a_snapshot_never_goes_back
            }
            idempotency {
                an_answer_is_given_again_to_the_same_request_also_after_opening_again
                of_many_at_once_one_becomes_the_holder
                a_request_whose_holder_is_gone_is_taken_over_with_the_reserved_id
                a_request_that_was_given_up_can_be_begun_again_at_once
                keys_are_kept_for_their_time_and_removed_bit_by_bit
            }
            projecting {
                a_row_is_read_as_it_was_stored
                rows_and_checkpoint_are_stored_together_and_reset_together
                whoever_waits_for_a_checkpoint_is_woken
                open_builds_come_oldest_first_in_pages
            }
            tenants {
                a_tenant_reads_its_own_events_only
                a_tenant_without_events_need_not_read_twice
                lists_are_one_tenants_whatever_else_is_asked_for
                open_builds_are_counted_by_who_submitted_them
            }
            endpoints {
                an_endpoint_is_listed_as_it_was_stored_last_also_after_opening_again
                endpoints_are_listed_by_tenant_newest_first_in_pages_without_those_of_one_build
                what_is_deleted_is_in_no_list_and_does_not_come_back
                a_reset_forgets_endpoints_and_keeps_secrets
                secrets_are_kept_by_version_also_after_opening_again
                an_event_of_an_endpoint_is_read_from_its_stream
            }
            keys {
                a_key_is_found_as_it_was_stored_also_after_opening_again
                a_prefix_is_given_out_once
                keys_are_listed_newest_first_by_tenant_and_in_pages
                a_key_is_revoked_once_and_for_good
                uses_are_noted_and_never_go_back
                whether_any_key_can_be_used_is_known
            }
            deliveries {
                what_was_recorded_is_known_after_opening_again
                a_delivery_is_recorded_again_as_it_stands_then
                the_next_deliveries_are_those_with_a_time_soonest_first
                the_waiting_deliveries_of_a_build_come_in_order
                lists_are_newest_first_of_one_endpoint_and_one_status
                attempts_come_back_with_any_byte
                a_delivery_that_is_asked_for_again_is_pending_and_its_endpoint_nudged_once
                dead_deliveries_are_asked_for_again_since_a_time
                old_deliveries_are_forgotten_in_steps
                nothing_is_kept_of_endpoints_that_are_deleted
            }
            listing {
                a_list_is_newest_first_and_pages_meet_without_gap_or_overlap
                filters_by_status_project_and_label_go_together
                labels_may_hold_any_character
                a_build_is_not_found_by_labels_it_no_longer_has
            }
        );
    };
}

/// Tests named like the functions of this module that they call.
#[doc(hidden)]
#[macro_export]
macro_rules! promises {
    ($subject:ty; $($module:ident { $($promise:ident)* })*) => {$(
        mod $module {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $promise() {
                    $crate::stores::$module::$promise::<$subject>().await;
                }
            )*
        }
    )*};
}
