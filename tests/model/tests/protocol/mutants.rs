//! With one protection off, the property that it protects breaks; with it on, every property holds in the same scope.

use anyhow::{Context, ensure};
use model::check::{Limits, check};
use model::drive::Protocol;
use model::mutation::Mutation;
use model::report::{standing, story};

fn counterexample(mutation: Mutation) -> anyhow::Result<String> {
    let protocol = |off| Protocol::new(mutation.scope(), off);
    let on = check(protocol(None)?, Limits { threads: 2, ..Limits::default() }, |_| {});
    ensure!(on.complete && on.counterexamples.is_empty(), "with the protection on: {:?}", on.counterexamples);

    let limits = Limits { threads: 1, until: Some(mutation.breaks()), ..Limits::default() };
    let off = check(protocol(Some(mutation))?, limits, |_| {});
    let found = off.counterexamples.iter().find(|found| found.property == mutation.breaks());
    let found = found.with_context(|| {
        format!("{} holds, and nobody noticed that {}", mutation.breaks().name(), mutation.what_is_off())
    })?;
    let mut lines = story(&protocol(Some(mutation))?, &found.actions);
    lines.extend(standing(&protocol(Some(mutation))?, &found.actions));
    Ok(lines.join("\n"))
}

macro_rules! is_noticed {
    ($($test:ident: $mutation:ident),+ $(,)?) => {
        $(#[test]
        fn $test() {
            counterexample(Mutation::$mutation).unwrap();
        })+

        #[test]
        fn every_mutation_has_its_test() {
            assert_eq!([$(Mutation::$mutation),+], Mutation::ALL);
        }
    };
}

is_noticed! {
    a_payment_written_without_its_condition: UnconditionalPayment,
    a_second_charge_without_a_lookup: ChargeWithoutLookup,
    a_payment_intent_confirmed_before_it_is_stored: ConfirmBeforeStoring,
    a_payment_voided_without_cancelling: VoidWithoutCancelling,
    a_payment_declined_without_cancelling: DeclineWithoutCancelling,
    a_release_that_leaves_no_tombstone: NoTombstone,
    a_reservation_written_without_its_condition: UnconditionalReservation,
    stock_taken_without_its_condition: UnconditionalStock,
    stock_released_without_the_arbiter: ReleaseOnWish,
    a_lease_that_is_ignored: IgnoreLeases,
    a_mail_noted_without_the_owners_token: UnconditionalNote,
    a_claim_given_up_without_the_owners_token: UnconditionalGiveUp,
    acknowledged_before_published: AcknowledgeFirst,
    a_refused_entry_that_is_ignored: IgnoreRefusedEntries,
    a_failure_answered_as_success: FailureAsSuccess,
    an_order_written_without_its_condition: UnconditionalOrder,
    an_outbox_row_written_on_its_own: TornOutbox,
    an_outbox_row_removed_before_it_is_published: RemoveFirst,
    a_wish_that_is_not_repeated: AskOnce,
}

#[test]
fn a_counterexample_reads_as_a_story() {
    insta::assert_snapshot!(counterexample(Mutation::ChargeWithoutLookup).unwrap());
}
