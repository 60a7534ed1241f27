//! An attempt: it decides, then carries out what was decided, and may be stopped in between for any time.

use domain::payment::{Ending, Goal, IntentStatus, Payment, PaymentState, Request, ProviderObservation, Step, decide};
use domain::{Attempt, Event};
use jiff::SignedDuration;
use proptest::prelude::*;
use uuid::Uuid;

use super::world::{Fault, World};
use crate::sample::{cause, details, order_id};

pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(45);

/// Does what was decided, or breaks one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Driver {
    AsDecided,
    /// Confirms a PaymentIntent whose id is not in the record yet.
    ConfirmsBeforeWriting,
    /// Takes it for cancelled without asking the provider, to write that it is voided.
    VoidsWithoutCancelling,
    /// The same, to write that it is declined.
    DeclinesWithoutCancelling,
    /// Writes over whatever the record says.
    IgnoresTheCondition,
    /// Whoever takes over starts with a PaymentIntent of their own.
    ForgetsTheIntent,
    /// Takes every lease for one that has not ended.
    IgnoresLeasesForEver,
}

#[derive(Debug)]
enum Doing {
    /// Reads the record.
    Read,
    /// Asks the rules.
    Decide,
    /// Carries out what they said.
    Carry(Step),
    /// Gives up the lease.
    GiveUp(Box<Payment>),
    Ended,
}

/// One run of a function on one message.
#[derive(Debug)]
pub(super) struct Attempted {
    owner: Uuid,
    goal: Goal,
    driver: Driver,
    read: Option<Payment>,
    seen: ProviderObservation,
    doing: Doing,
    published: Option<Event>,
}

impl Attempted {
    pub(super) fn new(number: usize, goal: Goal, driver: Driver) -> Self {
        Self {
            owner: Uuid::from_u128(u128::try_from(number).unwrap() + 1),
            goal,
            driver,
            read: None,
            seen: ProviderObservation::Nothing,
            doing: Doing::Read,
            published: None,
        }
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.doing, Doing::Ended)
    }

    pub(super) fn published(&self) -> bool {
        self.published.is_some()
    }

    fn attempt(&self, world: &World) -> Attempt {
        Attempt { owner: self.owner, now: world.now, lease_duration: LEASE }
    }

    /// Goes on by one decision or one effect.
    pub(super) fn go(&mut self, world: &mut World, fault: Fault) -> Result<(), TestCaseError> {
        match std::mem::replace(&mut self.doing, Doing::Ended) {
            Doing::Ended => {}
            Doing::Read => {
                if fault == Fault::None {
                    self.read.clone_from(&world.record);
                    self.doing = Doing::Decide;
                }
            }
            Doing::Decide => self.decide(world)?,
            Doing::Carry(step) => self.carry(step, world, fault)?,
            Doing::GiveUp(payment) => {
                if !matches!(fault, Fault::CrashBefore | Fault::ErrorBefore) {
                    world.write(&payment, true);
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, world: &World) -> Result<(), TestCaseError> {
        let (order, cause) = (details(), cause());
        let request = Request { order_id: order_id(1), order: &order, cause: &cause };
        let attempt = self.attempt(world);
        let step = decide(self.read.as_ref(), self.goal, &self.seen, &request, &attempt);
        match step {
            Step::Publish(event) => {
                let told = world.record.as_ref().and_then(Payment::outcome_event);
                prop_assert_eq!(
                    told.as_ref(),
                    Some(event.as_ref()),
                    "published what the record does not say"
                );
                self.published = Some(*event);
            }
            Step::Wait { until: Some(until) } => prop_assert!(until > world.now, "waits for what is over"),
            Step::Wait { until: None } => self.give_up(world),
            step => self.doing = Doing::Carry(self.broken(step)),
        }
        Ok(())
    }

    /// The step that this driver takes instead of the right one.
    fn broken(&self, mut step: Step) -> Step {
        if let (Driver::ForgetsTheIntent, Step::Write(payment), Some(read)) =
            (self.driver, &mut step, &self.read)
            && let PaymentState::Charging { lease, intent, .. } = &mut payment.state
            && matches!(&read.state, PaymentState::Charging { lease: before, .. } if before.owner != lease.owner)
        {
            *intent = None;
        }
        step
    }

    fn give_up(&mut self, world: &World) {
        let attempt = self.attempt(world);
        if let Some(payment) = self.read.as_ref().and_then(|payment| payment.release_lease(&attempt)) {
            self.doing = Doing::GiveUp(Box::new(payment));
        }
    }

    fn carry(&mut self, step: Step, world: &mut World, fault: Fault) -> Result<(), TestCaseError> {
        match fault {
            Fault::CrashBefore => return Ok(()),
            Fault::ErrorBefore => {
                // As the functions do: a write that failed ends the run, and so does a call, with the lease given up.
                if !matches!(step, Step::Write(_)) {
                    self.give_up(world);
                }
                return Ok(());
            }
            Fault::None | Fault::CrashAfter | Fault::ErrorAfter => {}
        }
        let is_write = matches!(step, Step::Write(_));
        let seen = match step {
            Step::Write(payment) => {
                if self.driver == Driver::ConfirmsBeforeWriting
                    && let ProviderObservation::Created(id) = &self.seen
                {
                    let key = format!("{id}/confirm/early");
                    world.confirm(id, &key);
                    world.check()?;
                }
                if self.driver == Driver::IgnoresLeasesForEver
                    && let (Some(read), PaymentState::Charging { lease, .. }) = (&self.read, &payment.state)
                    && matches!(&read.state, PaymentState::Charging { lease: before, .. } if before.owner != lease.owner)
                {
                    return Ok(());
                }
                let written = world.write(&payment, self.driver != Driver::IgnoresTheCondition);
                // The SDK sends a write again whose answer was lost, and the condition no longer holds then.
                if written && fault != Fault::ErrorAfter {
                    self.read = Some(*payment);
                    None
                } else {
                    self.doing = Doing::Read;
                    self.seen = ProviderObservation::Nothing;
                    if fault == Fault::CrashAfter {
                        self.doing = Doing::Ended;
                    }
                    return Ok(());
                }
            }
            Step::CreateIntent { idempotency_key } => {
                Some(world.create(&idempotency_key).map_or_else(ProviderObservation::Refused, ProviderObservation::Created))
            }
            Step::Retrieve(id) => Some(ProviderObservation::Status(world.retrieve(&id))),
            Step::Confirm { intent, idempotency_key } => {
                Some(ProviderObservation::Status(world.confirm(&intent, &idempotency_key)))
            }
            Step::Cancel(id) => Some(ProviderObservation::Status(self.cancel(&id, world))),
            Step::Publish(_) | Step::Wait { .. } => None,
        };
        match fault {
            Fault::CrashAfter => {}
            Fault::ErrorAfter if !is_write => self.give_up(world),
            _ => {
                self.seen = seen.unwrap_or_else(|| self.seen.clone());
                self.doing = Doing::Decide;
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
