//! An attempt: it decides, performs the step, and may be interrupted or paused at any point in between.

use domain::payment::{
    Ending, Goal, IntentStatus, Payment, PaymentState, ProviderObservation, Request, Step, decide,
};
use domain::{Attempt, Event};
use jiff::SignedDuration;
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{Fault, World};
use crate::sample::{cause, order_id};

pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(45);

/// Whether an attempt follows the rules or breaks one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    FollowsTheRules,
    /// Confirms a PaymentIntent whose id is not in the record yet.
    ConfirmsBeforeWriting,
    /// Records the payment as voided without cancelling the PaymentIntent at the provider.
    VoidsWithoutCancelling,
    /// Records the payment as declined without cancelling the PaymentIntent at the provider.
    DeclinesWithoutCancelling,
    /// Overwrites the record unconditionally.
    IgnoresTheCondition,
    /// Creates a new PaymentIntent when it takes over.
    ForgetsTheIntent,
    /// Never takes over, as if no lease ever expired.
    NeverTakesOver,
}

#[derive(Debug)]
enum Phase {
    /// Reads the record.
    Read,
    /// Decides the next step.
    Decide,
    /// Performs the step.
    Perform(Step),
    /// Releases the lease.
    ReleaseLease(Box<Payment>),
    Finished,
}

/// One invocation of a function for one message.
#[derive(Debug)]
pub(super) struct Invocation {
    owner: Uuid,
    goal: Goal,
    driver: Driver,
    read: Option<Payment>,
    observation: ProviderObservation,
    phase: Phase,
    published: Option<Event>,
}

impl Invocation {
    pub(super) fn new(number: usize, goal: Goal, driver: Driver) -> Self {
        Self {
            owner: Uuid::from_u128(u128::try_from(number).unwrap() + 1),
            goal,
            driver,
            read: None,
            observation: ProviderObservation::Nothing,
            phase: Phase::Read,
            published: None,
        }
    }

    pub(super) fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Finished)
    }

    pub(super) fn has_published(&self) -> bool {
        self.published.is_some()
    }

    fn attempt(&self, world: &World) -> Attempt {
        Attempt { owner: self.owner, now: world.now, lease_duration: LEASE }
    }

    /// Advances by one decision or one effect.
    pub(super) fn advance(&mut self, world: &mut World, fault: Fault) -> Result<(), TestCaseError> {
        match std::mem::replace(&mut self.phase, Phase::Finished) {
            Phase::Finished => {}
            Phase::Read => {
                if fault == Fault::None {
                    self.read.clone_from(&world.record);
                    self.phase = Phase::Decide;
                }
            }
            Phase::Decide => self.decide(world)?,
            Phase::Perform(step) => self.perform(step, world, fault)?,
            Phase::ReleaseLease(payment) => {
                if !matches!(fault, Fault::CrashBefore | Fault::ErrorBefore) {
                    world.write(&payment, true);
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, world: &World) -> Result<(), TestCaseError> {
        let cause = cause();
        let request = Request { order_id: order_id(1), order: &world.order, cause: &cause };
        let attempt = self.attempt(world);
        let step = decide(self.read.as_ref(), self.goal, &self.observation, &request, &attempt);
        match step {
            Step::Publish(event) => {
                let outcome = world.record.as_ref().and_then(Payment::outcome_event);
                prop_assert_eq!(
                    outcome.as_ref(),
                    Some(event.as_ref()),
                    "published an event that the record does not contain"
                );
                self.published = Some(*event);
            }
            Step::Wait { until: Some(until) } => {
                prop_assert!(until > world.now, "waits for a time in the past");
            }
            Step::Wait { until: None } => self.release_lease(world),
            step => self.phase = Phase::Perform(self.mutated(step)),
        }
        Ok(())
    }

    /// Returns the step that this driver performs instead of the correct one.
    fn mutated(&self, mut step: Step) -> Step {
        if let (Driver::ForgetsTheIntent, Step::Write(payment), Some(read)) =
            (self.driver, &mut step, &self.read)
            && let PaymentState::Charging { lease, intent, .. } = &mut payment.state
            && matches!(&read.state, PaymentState::Charging { lease: before, .. } if before.owner != lease.owner)
        {
            *intent = None;
        }
        step
    }

    fn release_lease(&mut self, world: &World) {
        let attempt = self.attempt(world);
        if let Some(payment) = self.read.as_ref().and_then(|payment| payment.release_lease(&attempt)) {
            self.phase = Phase::ReleaseLease(Box::new(payment));
        }
    }

    fn perform(&mut self, step: Step, world: &mut World, fault: Fault) -> Result<(), TestCaseError> {
        match fault {
            Fault::CrashBefore => return Ok(()),
            Fault::ErrorBefore => {
                // As in the functions: a failed write ends the invocation; a failed call ends it and releases
                // the lease.
                if !matches!(step, Step::Write(_)) {
                    self.release_lease(world);
                }
                return Ok(());
            }
            Fault::None | Fault::CrashAfter | Fault::ErrorAfter => {}
        }
        let is_write = matches!(step, Step::Write(_));
        let observation = match step {
            Step::Write(payment) => {
                if self.driver == Driver::ConfirmsBeforeWriting
                    && let ProviderObservation::Created(id) = &self.observation
                {
                    let key = format!("{id}/confirm/early");
                    world.confirm(id, &key);
                    world.check()?;
                }
                if self.driver == Driver::NeverTakesOver
                    && let (Some(read), PaymentState::Charging { lease, .. }) = (&self.read, &payment.state)
                    && matches!(&read.state, PaymentState::Charging { lease: before, .. } if before.owner != lease.owner)
                {
                    return Ok(());
                }
                let written = world.write(&payment, self.driver != Driver::IgnoresTheCondition);
                // The SDK retries a write whose response was lost, and the condition no longer holds then.
                if written && fault != Fault::ErrorAfter {
                    self.read = Some(*payment);
                    None
                } else {
                    self.phase = Phase::Read;
                    self.observation = ProviderObservation::Nothing;
                    if fault == Fault::CrashAfter {
                        self.phase = Phase::Finished;
                    }
                    return Ok(());
                }
            }
            Step::CreateIntent { idempotency_key } => Some(
                world
                    .create(&idempotency_key)
                    .map_or_else(ProviderObservation::Refused, ProviderObservation::Created),
            ),
            Step::Retrieve(id) => Some(ProviderObservation::Status(world.retrieve(&id))),
            Step::Confirm { intent, idempotency_key } => {
                Some(ProviderObservation::Status(world.confirm(&intent, &idempotency_key)))
            }
            Step::Cancel(id) => Some(ProviderObservation::Status(self.cancel(&id, world))),
            Step::Publish(_) | Step::Wait { .. } => None,
        };
        match fault {
            Fault::CrashAfter => {}
            Fault::ErrorAfter if !is_write => self.release_lease(world),
            _ => {
                self.observation = observation.unwrap_or_else(|| self.observation.clone());
                self.phase = Phase::Decide;
            }
        }
        Ok(())
    }

    fn cancel(&self, id: &domain::PaymentIntentId, world: &mut World) -> IntentStatus {
        let ending = match &self.read.as_ref().unwrap().state {
            PaymentState::Charging { ending, .. } => ending.clone(),
            _ => None,
        };
        match (self.driver, ending) {
            (Driver::VoidsWithoutCancelling, Some(Ending::Void(_)))
            | (Driver::DeclinesWithoutCancelling, Some(Ending::Decline(_))) => IntentStatus::Cancelled,
            _ => world.cancel(id),
        }
    }
}
