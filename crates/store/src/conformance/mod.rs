//! The suite that every store must pass. A store names itself once, and each property is a test of its own:
//!
//! ```ignore
//! alert_connectors_store::conformance!(async || Opened { store, keep });
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a suite of tests, which cfg(test) of another crate can't reach"
)]

mod alerts;
mod audit;
mod connectors;
mod deliveries;
mod health;
mod history;
mod intake;
mod pauses;
mod problem;
mod queue;
mod sources;
mod storage;
mod users;
mod world;

pub use alerts::*;
pub use audit::*;
pub use connectors::*;
pub use deliveries::*;
pub use health::*;
pub use history::*;
pub use intake::*;
pub use pauses::*;
pub use problem::*;
pub use queue::*;
pub use sources::*;
pub use storage::*;
pub use users::*;
pub use world::{Opened, World, idempotency, stored};

/// Makes a test of every property for one store. The argument is an async function that opens an empty one.
#[macro_export]
macro_rules! conformance {
    ($open:expr) => {
        $crate::conformance!($open;
            accept_is_durable_and_queued_in_order,
            accept_stores_nothing_when_connectors_changed,
            accept_stores_nothing_when_identity_changed,
            accept_stores_nothing_in_a_removed_space,
            the_same_key_and_body_is_answered_again_and_stored_once,
            the_same_key_with_another_body_is_refused,
            a_key_is_forgotten_after_a_day,
            one_active_alert_for_each_dedup_key,
            a_repeat_counts_and_takes_newer_words_but_never_a_lower_severity,
            resolved_closes_the_problem_and_a_later_post_opens_a_new_one,
            resolved_without_an_active_alert_is_stored_but_not_sent,
            many_requests_at_once_are_all_answered,
            alerts_are_listed_newest_first_without_gap_or_repeat,
            filters_of_a_list_are_joined_by_or_within_and_by_and_between,
            a_span_of_time_has_its_beginning_and_not_its_end,
            a_summary_counts_each_alert_once,
            a_summary_names_the_most_frequent_kinds,
            what_a_space_stores_is_counted_and_goes_with_its_alerts,
            what_is_added_to_a_problem_counts,
            a_space_that_stores_too_much_loses_its_oldest_history,
            what_waits_and_open_problems_fill_a_space,
            an_alert_of_another_space_is_absent,
            resolve_is_repeatable,
            what_is_rare_is_found_among_many,
            connectors_come_back_as_they_were_made,
            a_change_of_no_value_leaves_updated_at,
            a_change_judged_at_an_old_version_is_stale,
            deactivation_and_deletion_cancel_what_is_pending,
            a_new_url_takes_what_is_pending_along,
            equal_urls_share_a_destination,
            the_connector_after_the_last_is_refused,
            settings_of_a_source_come_back_and_change_the_roster,
            pauses_are_listed_newest_first,
            the_last_hundred_pauses_are_kept,
            an_inspection_of_a_sound_store_finds_nothing,
            a_recorded_end_is_due_no_more,
            a_trace_is_kept_with_what_it_queued,
            a_recorded_retry_is_due_again_with_its_form_and_wait,
            recording_twice_changes_nothing,
            an_outcome_after_cancellation_is_superseded,
            due_is_read_in_order_across_connectors,
            health_comes_back_as_it_was_with_the_previous_rate_limit,
            a_change_of_identity_leaves_its_entry,
            a_change_of_a_space_leaves_its_entry,
            what_has_no_effect_leaves_no_entry,
            the_trail_is_listed_newest_first_and_forgets_what_is_old,
            an_invitation_sets_a_password_once,
            an_invitation_of_a_space_opens_no_other,
            an_admin_who_is_locked_out_does_not_count_as_one,
            a_removed_user_leaves_what_was_made_and_no_space_without_an_admin,
            what_is_erased_is_gone_with_its_deliveries,
            what_failed_is_revived_and_what_arrived_is_not,
            a_digest_batch_is_of_one_connector_and_its_attempt_is_shared,
            what_has_expired_is_owed_no_more_until_a_repair,
            a_follow_up_knows_its_opening,
            a_rise_is_told_to_those_who_know_and_opened_to_those_who_do_not,
            one_request_raises_a_problem_and_ends_it,
            a_repeat_after_the_interval_is_a_reminder,
            the_end_is_told_to_those_who_heard_of_it,
            a_resolved_of_before_the_beginning_ends_nothing,
            a_problem_keeps_when_it_ended_and_its_newest_title,
            a_message_stays_what_it_was,
            a_merged_message_says_what_its_last_part_says,
            deliveries_of_a_connector_are_listed_newest_first_by_state,
            deliveries_of_a_space_are_listed_newest_first,
            deliveries_of_a_space_are_listed_by_state,
            a_message_knows_what_was_sent_with_it,
            a_delivery_is_found_by_its_name,
            a_retry_gives_a_delivery_its_place_and_its_time_back,
            every_attempt_stays_whatever_becomes_of_its_delivery,
            a_replay_queues_what_ended_and_nothing_twice,
            health_tells_how_a_connector_fares,
            health_tells_a_failure_a_block_and_a_pause,
            a_connector_that_was_only_asked_to_wait_is_idle_to_all,
            health_of_a_space_is_that_of_each_connector,
            what_is_set_aside_is_told_when_it_is_tried,
            a_key_is_answered_after_retention_took_its_alert,
            a_new_url_repairs,
            a_health_from_before_a_repair_is_not_written,
            retention_removes_what_is_old_and_neither_what_waits_nor_a_problem,
            a_session_ends_with_its_token_user_or_password,
            disabling_ends_tokens_and_keys_and_enabling_brings_none_back,
            keys_are_shown_by_name_and_revoked_by_their_owner_alone,
            the_last_admin_stays,
            a_user_is_known_by_address,
            what_was_judged_at_another_version_is_not_changed,
            whatever_touches_access_moves_the_version,
            removing_a_space_takes_everything_along
        );
    };
    ($open:expr; $($property:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $property() {
                let opened = $open().await;
                let _keep = opened.keep;
                let world = $crate::conformance::World::furnished(opened.store).await;
                $crate::conformance::$property(world).await;
            }
        )+
    };
}
