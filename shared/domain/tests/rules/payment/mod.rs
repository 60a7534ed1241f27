//! Model of the payment protocol: attempts that pause, crash, are delayed and lose responses, against a
//! record with conditional writes and a provider that behaves like Stripe's PaymentIntents.

mod attempt;
mod world;

use domain::payment::{Ending, Goal, Payment, PaymentState, ProviderObservation, Request, Step, decide};
use domain::{Attempt, PaymentIntentId, VoidReason};
use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use uuid::Uuid;

use self::attempt::{Driver, Invocation, LEASE};
use self::world::{Card, Fault, World};
use crate::sample::{cases, cause, details, order_id, time};

/// An action in the model.
#[derive(Debug, Clone)]
enum Action {
    /// A message is delivered or redelivered.
    Start(Goal),
    /// An attempt advances by one decision or one effect.
    Advance { attempt: usize, fault: Fault },
    /// The clock advances, so that leases expire.
    Wait(SignedDuration),
    /// The provider finishes processing.
    Process { succeeds: bool },
    /// An operator cancels the uncharged PaymentIntents at the provider.
    CancelByHand,
    /// The idempotency keys at the provider expire.
    ExpireKeys,
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
        40 => (0..6_usize, fault).prop_map(|(attempt, fault)| Action::Advance { attempt, fault }),
        4 => (1..=60_i64).prop_map(|seconds| Action::Wait(SignedDuration::from_secs(seconds))),
        1 => any::<bool>().prop_map(|succeeds| Action::Process { succeeds }),
        1 => Just(Action::CancelByHand),
        1 => Just(Action::ExpireKeys),
    ];
    proptest::collection::vec(action, 1..120)
}

/// The results of the confirmations, in sequence; the last one applies to all further ones.
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

fn play(mut world: World, actions: &[Action], last: Goal, driver: Driver) -> Result<(), TestCaseError> {
    let mut attempts: Vec<Invocation> = Vec::new();
    for action in actions {
        match action {
            Action::Start(goal) => attempts.push(Invocation::new(attempts.len(), *goal, driver)),
            Action::Advance { attempt, fault } if !attempts.is_empty() => {
                // Usually the latest one: the earlier ones are delayed.
                let count = attempts.len();
                attempts[(count - 1).saturating_sub(*attempt)].advance(&mut world, *fault)?;
            }
            Action::Advance { .. } => {}
            Action::Wait(time) => world.now += *time,
            Action::Process { succeeds } => world.process(*succeeds),
            Action::CancelByHand => world.cancel_by_hand(),
            Action::ExpireKeys => world.expire_keys(),
        }
        world.check()?;
    }

    // Liveness: once the leases have expired, an undisturbed attempt completes the payment.
    world.process(true);
    world.now += LEASE;
    let mut alone = Invocation::new(attempts.len(), last, driver);
    for _ in 0..50 {
        alone.advance(&mut world, Fault::None)?;
        world.check()?;
        if alone.is_finished() && !world.is_final() {
            // The provider was still processing: the message is redelivered.
            world.process(true);
            alone = Invocation::new(attempts.len() + 1, last, driver);
        }
    }
    prop_assert!(world.is_final(), "not final: {:?}", world.record);
    prop_assert!(alone.has_published(), "nothing was published: {:?}", alone);

    // The delayed attempts change nothing any more.
    for attempt in &mut attempts {
        for _ in 0..50 {
            attempt.advance(&mut world, Fault::None)?;
            world.check()?;
        }
        prop_assert!(attempt.is_finished(), "does not terminate: {:?}", attempt);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(1500))]

    #[test]
    fn never_charged_twice_or_after_the_outcome_and_always_completed(
        cards in cards(), actions in actions(), last in goal()
    ) {
        play(World::new(cards), &actions, last, Driver::FollowsTheRules)?;
    }

    #[test]
    fn an_order_of_nothing_ends_without_the_provider(actions in actions(), last in goal()) {
        play(World::free(), &actions, last, Driver::FollowsTheRules)?;
    }
}

/// Mutation test: breaking any of the rules violates an invariant.
#[test]
fn an_attempt_that_breaks_a_rule_is_detected() {
    for (driver, violation) in [
        (Driver::ConfirmsBeforeWriting, "charged, but the record says otherwise"),
        (Driver::VoidsWithoutCancelling, "charged, but the record says otherwise"),
        (Driver::DeclinesWithoutCancelling, "charged, but the record says otherwise"),
        (Driver::IgnoresTheCondition, "a final record changed"),
        (Driver::ForgetsTheIntent, "charged 2 times"),
        (Driver::NeverTakesOver, "not final"),
    ] {
        let config = Config { max_shrink_iters: 0, ..cases(20_000) };
        let outcome = TestRunner::new(config).run(&(cards(), actions(), goal()), |(cards, actions, last)| {
            // Other violations of the same driver, which some seeds find first, do not count.
            match play(World::new(cards), &actions, last, driver) {
                Err(TestCaseError::Fail(reason)) if !reason.message().contains(violation) => Ok(()),
                result => result,
            }
        });
        let Err(TestError::Fail(reason, _)) = outcome else { panic!("{driver:?} was not detected") };
        assert!(reason.message().contains(violation), "{driver:?}: {reason}");
    }
}

/// Runs one undisturbed attempt.
fn settle(world: &mut World, goal: Goal) {
    let mut attempt = Invocation::new(world.next_attempt(), goal, Driver::FollowsTheRules);
    for _ in 0..50 {
        attempt.advance(world, Fault::None).unwrap();
        world.check().unwrap();
    }
    assert!(attempt.has_published(), "{attempt:?}");
}

#[test]
fn an_undisturbed_payment_follows_the_card_and_later_attempts_get_the_same_outcome() {
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
    assert!(declined.all_intents_are_cancelled(), "a declined PaymentIntent is cancelled at the provider");

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
    assert_eq!(voided.intents(), 0, "the provider was not called");
}

#[test]
fn an_order_of_nothing_is_paid_without_a_payment_intent_unless_it_is_voided_first() {
    let mut free = World::free();
    settle(&mut free, Goal::Charge);
    settle(&mut free, Goal::Void(VoidReason::CustomerRequest));
    assert!(matches!(free.state(), PaymentState::Succeeded { intent: None, .. }), "too late to cancel");
    let event = free.record.as_ref().unwrap().outcome_event().unwrap();
    let domain::Fact::PaymentSucceeded(paid) = &event.fact else { panic!("{event:?}") };
    assert_eq!((paid.payment_intent.as_ref(), paid.amount.minor_units()), (None, 0));

    let mut voided = World::free();
    settle(&mut voided, Goal::Void(VoidReason::CustomerRequest));
    settle(&mut voided, Goal::Charge);
    assert!(matches!(voided.state(), PaymentState::Voided { .. }));
}

fn attempt(owner: u128) -> Attempt {
    Attempt { owner: Uuid::from_u128(owner), now: time(5), lease_duration: LEASE }
}

fn intent(id: &str) -> PaymentIntentId {
    id.parse().unwrap()
}

/// A record with the PaymentIntent `pi_1`, leased by the first attempt.
fn charging(ending: Option<Ending>) -> Payment {
    let state = PaymentState::Charging {
        lease: attempt(1).lease(),
        attempt: 1,
        intent: Some(intent("pi_1")),
        ending,
    };
    Payment { order_id: order_id(1), order: details(), cause: cause(), version: 2, state }
}

#[test]
fn a_payment_intent_is_confirmed_at_once_only_if_it_is_new_in_the_record_and_to_be_charged() {
    let decided = |ending: Option<Ending>, created: &str| {
        let payment = charging(ending);
        let request = Request { order_id: payment.order_id, order: &payment.order, cause: &payment.cause };
        let observation = ProviderObservation::Created(intent(created));
        decide(Some(&payment), Goal::Charge, &observation, &request, &attempt(1))
    };
    let confirm = Step::Confirm { intent: intent("pi_1"), idempotency_key: "pi_1/confirm/1".to_owned() };
    assert_eq!(decided(None, "pi_1"), confirm);
    let retrieve = Step::Retrieve(intent("pi_1"));
    assert_eq!(decided(None, "pi_2"), retrieve, "another one was created");
    assert_eq!(decided(Some(Ending::Void(VoidReason::Expired)), "pi_1"), retrieve, "it is to be voided");
}

#[test]
fn only_the_owner_of_a_lease_releases_it() {
    let payment = charging(None);
    assert_eq!(payment.release_lease(&attempt(2)), None);
    let released = payment.release_lease(&attempt(1)).unwrap();
    let PaymentState::Charging { lease, .. } = released.state else { panic!("{released:?}") };
    assert_eq!((released.version, lease.owner, lease.expires_at), (3, attempt(1).owner, time(5)));
}

#[test]
fn a_payment_is_in_progress_with_the_payment_intent_in_its_record() {
    let payment = charging(None);
    assert!(payment.is_charging(&intent("pi_1")) && !payment.is_charging(&intent("pi_2")));
    let state = PaymentState::Succeeded { intent: Some(intent("pi_1")), at: time(5) };
    assert!(!Payment { state, ..payment }.is_charging(&intent("pi_1")), "it has ended");
}
