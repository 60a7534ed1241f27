//! With a protection switched off, the property that it protects is violated; with the protection on, every
//! property holds in the same scope.

use anyhow::{Context, ensure};
use model::check::{Limits, check};
use model::drive::Protocol;
use model::mutation::Mutation;
use model::report::{describe_final_state, describe_steps};
use strum::VariantArray;

fn counterexample(mutation: Mutation) -> anyhow::Result<String> {
    let protocol = |off| Protocol::new(mutation.scope(), off);
    let on = check(protocol(None)?, Limits { threads: 2, ..Limits::default() }, |_| {});
    ensure!(
        on.complete && on.counterexamples.is_empty(),
        "violated with the protection on: {:?}",
        on.counterexamples
    );

    let limits = Limits { threads: 1, stop_at: Some(mutation.violates()), ..Limits::default() };
    let off = check(protocol(Some(mutation))?, limits, |_| {});
    let found = off.counterexamples.iter().find(|found| found.property == mutation.violates());
    let found = found.with_context(|| {
        format!("{} holds although {}", mutation.violates().name(), mutation.description())
    })?;
    let mut lines = describe_steps(&protocol(Some(mutation))?, &found.actions);
    lines.extend(describe_final_state(&protocol(Some(mutation))?, &found.actions));
    Ok(lines.join("\n"))
}

macro_rules! assert_detected {
    ($($test:ident: $mutation:ident),+ $(,)?) => {
        $(#[test]
        fn $test() {
            counterexample(Mutation::$mutation).unwrap();
        })+

        #[test]
        fn every_mutation_has_a_test() {
            assert_eq!([$(Mutation::$mutation),+], Mutation::VARIANTS);
        }
    };
}

assert_detected! {
    a_payment_written_unconditionally: UnconditionalPayment,
    a_second_charge_without_a_lookup: ChargeWithoutLookup,
    a_payment_intent_confirmed_before_it_is_stored: ConfirmBeforeStoring,
    a_payment_voided_without_cancelling: VoidWithoutCancelling,
    a_payment_declined_without_cancelling: DeclineWithoutCancelling,
    an_unknown_answer_taken_for_a_cancellation: UnknownIsCancelled,
    a_release_that_leaves_no_tombstone: NoTombstone,
    a_reservation_written_unconditionally: UnconditionalReservation,
    stock_taken_unconditionally: UnconditionalStock,
    stock_released_without_the_arbiter: ReleaseOnCancellationRequest,
    an_ignored_lease: IgnoreLeases,
    a_claim_completed_without_the_owners_token: UnconditionalCompletion,
    a_claim_released_without_the_owners_token: UnconditionalRelease,
    a_message_acknowledged_before_publishing: AcknowledgeBeforePublish,
    an_ignored_failed_entry: IgnoreFailedEntries,
    a_failure_reported_as_success: ReportFailureAsSuccess,
    an_order_written_unconditionally: UnconditionalOrder,
    an_outbox_row_written_separately: TornOutbox,
    an_outbox_row_removed_before_it_is_published: RemoveBeforePublish,
    a_cancellation_request_that_is_not_repeated: RequestCancellationOnce,
    a_repeated_request_with_the_newest_reason: NewestReason,
}

#[test]
fn a_counterexample_is_readable() {
    insta::assert_snapshot!(counterexample(Mutation::ChargeWithoutLookup).unwrap());
}
