//! The contract of [`stem_store::ObjectStore`], clause by clause, for any store and any stack of stores.
//!
//! Call [`conformance_suite!`](crate::conformance_suite) in a test file with something that makes fresh stores:
//!
//! ```ignore
//! mod sharded {
//!     stem_testkit::conformance_suite!(super::Sharded);
//! }
//! ```
//!
//! Each test is named after the clause that it tests. What a store cannot take part in (another process, damage behind
//! its back) its [`Subject`] says, and the test then checks what is left.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "these functions are tests: they report by panicking"
)]

mod atomic;
mod bounded;
mod concurrent;
mod durable;
mod files;
mod idempotent;
mod maintain;
mod process;
mod subject;
mod truth;
mod visible;

pub use atomic::*;
pub use bounded::*;
pub use concurrent::*;
pub use durable::*;
pub use files::*;
pub use idempotent::*;
pub use maintain::*;
pub use process::test_name;
pub use subject::{Damage, Factory, Run, Subject};
pub use truth::*;
pub use visible::*;

/// Makes one `#[test]` for every clause, over the stores that `$factory` (a [`Factory`])
/// makes.
#[macro_export]
macro_rules! conformance_suite {
    ($factory:expr) => {
        $crate::conformance_suite! { @each $factory;
            clause_1_atomic_a_failed_source_leaves_nothing
            clause_1_atomic_a_wrong_expected_id_stores_nothing
            clause_1_atomic_readers_see_a_whole_object_or_none
            clause_1_atomic_a_killed_put_leaves_nothing
            clause_2_true_what_comes_out_is_what_went_in
            clause_2_true_ranges_are_those_of_the_bytes
            clause_2_true_damage_never_reaches_the_end
            clause_2_true_a_reader_that_is_dropped_makes_no_claim
            clause_2_true_the_id_judges_a_checksum_that_disagrees
            clause_3_durable_put_reaches_other_handles
            clause_3_durable_sync_reaches_other_handles
            clause_3_durable_without_sync_an_object_is_whole_or_absent
            clause_4_visible_once_put_returned
            clause_4_visible_listing_knows_every_prefix
            clause_4_visible_absence_is_none
            clause_5_idempotent_a_second_put_leaves_one_object
            clause_5_idempotent_a_rotten_twin_is_replaced
            clause_5_idempotent_a_file_replaces_a_rotten_twin
            clause_6_bounded_memory_does_not_grow_with_the_object
            clause_6_bounded_sizes_and_offsets_have_64_bits
            clause_7_concurrent_threads
            clause_7_concurrent_listing_may_use_the_store
            clause_7_concurrent_processes
            files_are_stored_and_restored_whole
            files_are_stored_as_they_were_hashed
            files_that_are_taken_become_objects
            files_that_stop_leave_nothing
            metadata_is_kept_where_the_store_says_so
            maintain_verify_and_remove
            maintain_quarantine_takes_an_object_out
            maintain_a_store_at_rest_is_in_order
        }
    };
    (@each $factory:expr; $($clause:ident)*) => {
        $(
            #[test]
            fn $clause() {
                let factory = $factory;
                let test = $crate::conformance::test_name(module_path!(), stringify!($clause));
                $crate::conformance::$clause(&$crate::conformance::Run { factory: &factory, test: &test });
            }
        )*
    };
}
