//! The payment protocol in a small world: attempts that pause, crash, come late and lose answers, against a
//! record with a condition and a provider that behaves as Stripe's PaymentIntents do.

mod attempt;
mod world;

use domain::payment::{Goal, PaymentState, VoidReason};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use self::attempt::{Attempted, Driver, LEASE};
use self::world::{Card, Fault, World};
use crate::sample::cases;

/// What happens next in the world.
#[derive(Debug, Clone)]
enum Action {
    /// A message is delivered, for the first time or again.
    Start(Goal),
    /// One of the attempts goes on by one decision or one effect.
    Go { attempt: usize, fault: Fault },
    /// Time passes.
    Wait(SignedDuration),
    /// What the provider is still at comes to its end.
    Process { succeeds: bool },
    /// A person cancels at the provider what is not charged.
    CancelByHand,
    /// The provider forgets its idempotency keys.
    ForgetKeys,
}

fn goal() -> impl Strategy<Value = Goal> {
    prop_oneof![
        3 => Just(Goal::Charge),
        1 => Just(Goal::Void(VoidReason::CustomerRequest)),
        1 => Just(Goal::Void(VoidReason::Expired)),
    ]
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let fault = prop_oneof![
        24 => Just(Fault::None),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
        1 => Just(Fault::ErrorBefore),
        2 => Just(Fault::ErrorAfter),
    ];
    let action = prop_oneof![
        4 => goal().prop_map(Action::Start),
        40 => (0..6_usize, fault).prop_map(|(attempt, fault)| Action::Go { attempt, fault }),
        4 => (1..=60_i64).prop_map(|seconds| Action::Wait(SignedDuration::from_secs(seconds))),
        1 => any::<bool>().prop_map(|succeeds| Action::Process { succeeds }),
        1 => Just(Action::CancelByHand),
        1 => Just(Action::ForgetKeys),
    ];
    proptest::collection::vec(action, 1..120)
}

/// How each confirmation comes out, one after the other; the last one stands for all further ones.
fn cards() -> impl Strategy<Value = Vec<Card>> {
    let card = prop_oneof![
        4 => Just(Card::Succeeds),
        3 => Just(Card::Declines),
        1 => Just(Card::Processes),
    ];
    prop_oneof![
        12 => proptest::collection::vec(card, 1..4),
        1 => Just(vec![Card::Unknown]),
    ]
}

fn play(cards: Vec<Card>, actions: &[Action], last: Goal, driver: Driver) -> Result<(), TestCaseError> {
    let mut world = World::new(cards);
    let mut attempts: Vec<Attempted> = Vec::new();
    for action in actions {
        match action {
            Action::Start(goal) => attempts.push(Attempted::new(attempts.len(), *goal, driver)),
            Action::Go { attempt, fault } if !attempts.is_empty() => {
                // Mostly the latest: those before are the late ones.
                let count = attempts.len();
                attempts[(count - 1).saturating_sub(*attempt)].go(&mut world, *fault)?;
            }
            Action::Go { .. } => {}
            Action::Wait(time) => world.now += *time,
            Action::Process { succeeds } => world.process(*succeeds),
            Action::CancelByHand => world.cancel_by_hand(),
            Action::ForgetKeys => world.forget_keys(),
        }
        world.check()?;
    }

    // Whatever happened: an attempt that is left alone once the leases have ended comes to an end.
    world.process(true);
    world.now += LEASE;
    let mut alone = Attempted::new(attempts.len(), last, driver);
    for _ in 0..50 {
        alone.go(&mut world, Fault::None)?;
        world.check()?;
        if alone.ended() && !world.is_final() {
            // The provider was still at it: the message comes again.
            world.process(true);
            alone = Attempted::new(attempts.len() + 1, last, driver);
        }
    }
    prop_assert!(world.is_final(), "not final: {:?}", world.record);
    prop_assert!(alone.published(), "nothing was published: {:?}", alone);

    // And those that are late change nothing any more.
    for attempt in &mut attempts {
        for _ in 0..50 {
            attempt.go(&mut world, Fault::None)?;
            world.check()?;
        }
        prop_assert!(attempt.ended(), "goes round in circles: {:?}", attempt);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn never_charged_twice_nor_after_the_end_and_always_brought_to_an_end(
        cards in cards(), actions in actions(), last in goal()
    ) {
        play(cards, &actions, last, Driver::AsDecided)?;
    }
}

/// The world notices what the rules are there to prevent.
#[test]
fn an_attempt_that_breaks_a_rule_is_caught() {
    for (driver, noticed) in [
        (Driver::ConfirmsBeforeWriting, "charged, and the record says never"),
        (Driver::VoidsWithoutCancelling, "charged, and the record says never"),
        (Driver::DeclinesWithoutCancelling, "charged, and the record says never"),
        (Driver::IgnoresTheCondition, "what is final changed"),
        (Driver::ForgetsTheIntent, "charged 2 times"),
        (Driver::IgnoresLeasesForEver, "not final"),
    ] {
        let config = Config { max_shrink_iters: 0, ..cases(20_000) };
        let outcome = TestRunner::new(config)
            .run(&(cards(), actions(), goal()), |(cards, actions, last)| play(cards, &actions, last, driver));
        let Err(TestError::Fail(reason, _)) = outcome else { panic!("{driver:?} went unnoticed") };
        assert!(reason.message().contains(noticed), "{driver:?}: {reason}");
    }
}

/// One attempt after another, undisturbed.
fn settle(world: &mut World, goal: Goal) {
    let mut attempt = Attempted::new(world.attempts(), goal, Driver::AsDecided);
    for _ in 0..50 {
        attempt.go(world, Fault::None).unwrap();
        world.check().unwrap();
    }
    assert!(attempt.published(), "{attempt:?}");
}

#[test]
fn undisturbed_it_ends_as_the_card_does_and_whoever_comes_later_hears_the_same() {
    let customer = VoidReason::CustomerRequest;
    let mut paid = World::new(vec![Card::Succeeds]);
    settle(&mut paid, Goal::Charge);
    assert!(matches!(paid.state(), PaymentState::Succeeded { .. }));
    settle(&mut paid, Goal::Void(customer));
    assert!(matches!(paid.state(), PaymentState::Succeeded { .. }), "too late to cancel");

    let mut declined = World::new(vec![Card::Declines]);
    settle(&mut declined, Goal::Charge);
    assert!(
        matches!(declined.state(), PaymentState::Declined { reason, .. } if reason.code == "card_declined")
    );
    assert!(declined.nothing_can_be_charged(), "what was declined is cancelled at the provider");

    let mut refused = World::new(vec![Card::Unknown]);
    settle(&mut refused, Goal::Charge);
    assert!(
        matches!(refused.state(), PaymentState::Declined { reason, .. } if reason.code == "resource_missing")
    );

    let mut voided = World::new(vec![Card::Succeeds]);
    settle(&mut voided, Goal::Void(customer));
    settle(&mut voided, Goal::Void(VoidReason::Expired));
    settle(&mut voided, Goal::Charge);
    assert!(matches!(voided.state(), PaymentState::Voided { reason, .. } if *reason == customer));
    assert_eq!(voided.intents(), 0, "the provider never heard of it");
}
