//! `process-payment` and `void-payment` (`lambdas/payments/src/arbiter.rs`), and a provider that behaves like
//! Stripe.

use domain::payment::{Goal, Payment, PaymentState, Request, Step, decide};
use jiff::Timestamp;

use super::{Next, Protocol, capture};
use crate::action::Fault;
use crate::fixture::UNCONFIRMED;
use crate::mutation::Mutation;
use crate::scope::{Card, FaultKind};
use crate::state::{
    Attempt, Ending, EventKind, Intent, Observation, Owner, PaymentRow, PaymentStatus, Saga, State, Status,
    Work,
};

/// The provider finishes processing a PaymentIntent.
pub(super) fn process(intent: &mut Intent, charged: bool) {
    if charged { capture(intent) } else { intent.status = Status::Declined }
}

fn lease_of(row: Option<PaymentRow>) -> Option<(Owner, bool)> {
    match row?.status {
        PaymentStatus::Charging { owner, released, .. } => Some((owner, released)),
        _ => None,
    }
}

impl Protocol {
    /// The owner of the lease that blocks a new attempt, if one does.
    pub(super) fn blocking_payment_owner(&self, saga: &Saga, at: usize) -> Option<Owner> {
        let other_attempt = Attempt {
            message: crate::state::Message {
                to: crate::state::Function::ProcessPayment,
                event: EventKind::Confirmed,
            },
            work: Work::ReadAgain,
            owner: Owner::MAX,
            has_message: false,
            is_stalled: false,
        };
        let step =
            self.step(at, &other_attempt, saga.payment, Observation::Nothing, self.fixture.while_leased());
        matches!(step, Step::Wait { until: Some(_) })
            .then(|| lease_of(saga.payment).map(|(owner, _)| owner))
            .flatten()
    }

    fn step(
        &self,
        at: usize,
        attempt: &Attempt,
        read: Option<PaymentRow>,
        observed: Observation,
        now: Timestamp,
    ) -> Step {
        let fixture = &self.fixture;
        let read = read.map(|row| fixture.payment(at, row));
        let goal = match attempt.message.event {
            EventKind::CancellationRequested(reason) => Goal::Void(reason),
            _ => Goal::Charge,
        };
        let request =
            Request { order_id: fixture.id(at), order: fixture.details(at), cause: fixture.cause() };
        let attempt = fixture.attempt(attempt.owner, now);
        decide(read.as_ref(), goal, &fixture.observation(observed), &request, &attempt)
    }

    /// The clock of an attempt: it continues with a record leased by another owner only after that lease has
    /// expired.
    fn now(&self, attempt: &Attempt, read: Option<PaymentRow>) -> Timestamp {
        match lease_of(read) {
            Some((owner, _)) if owner != attempt.owner => self.fixture.after_leases(),
            _ => self.fixture.while_leased(),
        }
    }

    /// Reads the payment record, and determines the first effect.
    pub(super) fn start_payment(
        &self,
        saga: &Saga,
        at: usize,
        attempt: &Attempt,
        lease_expired: bool,
    ) -> Next {
        let now = if lease_expired { self.fixture.after_leases() } else { self.fixture.while_leased() };
        let step = self.step(at, attempt, saga.payment, Observation::Nothing, now);
        self.next_payment_work(attempt, (saga.payment, Observation::Nothing, false), step)
    }

    /// Translates the next step of the rules into the attempt's next work.
    fn next_payment_work(
        &self,
        attempt: &Attempt,
        (read, observed, confirmed_early): (Option<PaymentRow>, Observation, bool),
        step: Step,
    ) -> Next {
        match step {
            Step::Publish(event) => {
                Next::Continue(Work::Publish(crate::fixture::Fixture::event_kind(&event.fact)))
            }
            Step::Wait { until: Some(_) } => Next::Retry,
            Step::Wait { until: None } => self.fail_attempt(attempt, read),
            _ => Next::Continue(Work::Pay { read, observed, confirmed_early }),
        }
    }

    /// Fails the attempt, which first releases its lease if it owns one.
    fn fail_attempt(&self, attempt: &Attempt, read: Option<PaymentRow>) -> Next {
        match (lease_of(read), read) {
            (Some((owner, _)), Some(read)) if owner == attempt.owner => {
                Next::Continue(Work::ReleasePaymentLease { read })
            }
            _ => Next::Retry,
        }
    }

    /// The possible results of the next effect of a payment attempt.
    pub(super) fn payment_choices(
        &self,
        saga: &Saga,
        at: usize,
        attempt: &Attempt,
        may: &dyn Fn(FaultKind) -> bool,
    ) -> Vec<(Fault, Option<Card>)> {
        let Work::Pay { read, observed, confirmed_early } = attempt.work else { return Vec::new() };
        let step = self.apply_mutation(
            read,
            observed,
            confirmed_early,
            self.step(at, attempt, read, observed, self.now(attempt, read)),
        );
        let cards = self.scope.cards.iter().copied();
        let cards: Vec<Option<Card>> = match &step {
            Step::CreateIntent { .. } => {
                let unknown = cards.clone().find(|card| *card == Card::Unknown);
                let known = cards.clone().find(|card| *card != Card::Unknown);
                [unknown, known].into_iter().flatten().map(Some).collect()
            }
            Step::Confirm { intent, .. } => {
                let status = saga.intents[usize::from(self.fixture.number(intent))].status;
                if matches!(status, Status::Unconfirmed | Status::Declined) {
                    cards.filter(|card| *card != Card::Unknown).map(Some).collect()
                } else {
                    vec![None]
                }
            }
            _ => vec![None],
        };
        let mut choices = Vec::new();
        for card in cards {
            choices.push((Fault::None, card));
            if may(FaultKind::Crash) && !matches!(step, Step::Retrieve(_)) {
                choices.push((Fault::Crash, card));
            }
            let is_write = matches!(step, Step::Write(_));
            if is_write && may(FaultKind::SdkRetry) {
                choices.push((Fault::SdkRetry, card));
            }
            if !is_write && may(FaultKind::NoResponse) && !matches!(step, Step::Retrieve(_)) {
                choices.push((Fault::LostResponse, card));
            }
        }
        let is_write = matches!(step, Step::Write(_));
        if !is_write && may(FaultKind::NoResponse) {
            choices.push((Fault::LostRequest, None));
        }
        choices
    }

    /// Replaces the step that a mutation changes.
    fn apply_mutation(
        &self,
        read: Option<PaymentRow>,
        observed: Observation,
        confirmed_early: bool,
        mut step: Step,
    ) -> Step {
        let charging = read.and_then(|row| match row.status {
            PaymentStatus::Charging { owner, intent, ending, .. } => Some((owner, intent, ending)),
            _ => None,
        });
        match (self.mutation, charging) {
            (Some(Mutation::ChargeWithoutLookup), Some((before, ..))) => {
                if let Step::Write(payment) = &mut step
                    && let PaymentState::Charging { lease, intent, .. } = &mut payment.state
                    && lease.owner.as_u128() != u128::from(before)
                {
                    *intent = None;
                }
            }
            (Some(Mutation::ConfirmBeforeStoring), Some((_, None, None))) => {
                if let Observation::Created(number) = observed
                    && !confirmed_early
                    && matches!(step, Step::Write(_))
                {
                    let idempotency_key = String::new();
                    return Step::Confirm { intent: self.fixture.intent(number), idempotency_key };
                }
            }
            (Some(Mutation::VoidWithoutCancelling), Some((.., Some(Ending::Void(_)))))
            | (Some(Mutation::DeclineWithoutCancelling), Some((.., Some(Ending::Decline))))
                if matches!(step, Step::Cancel(_)) =>
            {
                // The cancellation is not sent; the caller treats the PaymentIntent as cancelled.
                return Step::Wait { until: None };
            }
            _ => {}
        }
        step
    }

    /// Executes the next step of a payment.
    pub(super) fn execute_payment_step(
        &self,
        state: &mut State,
        at: usize,
        attempt: &Attempt,
        (read, observed, confirmed_early): (Option<PaymentRow>, Observation, bool),
        fault: Fault,
        card: Option<Card>,
    ) -> Next {
        let now = self.now(attempt, read);
        let saga = &mut state.sagas[at];
        let effect = fault != Fault::LostRequest;
        let mut confirmed_early = confirmed_early;
        let observed = match self.apply_mutation(
            read,
            observed,
            confirmed_early,
            self.step(at, attempt, read, observed, now),
        ) {
            Step::Write(payment) => {
                let written = self.write_payment(saga, &payment, now);
                if !written || fault == Fault::SdkRetry {
                    return Next::Continue(Work::ReadAgain);
                }
                let read = Some(self.fixture.payment_row(&payment, now));
                let step = self.step(at, attempt, read, observed, self.fixture.while_leased());
                return self.next_payment_work(attempt, (read, observed, confirmed_early), step);
            }
            Step::CreateIntent { .. } if card == Some(Card::Unknown) => Observation::Refused,
            Step::CreateIntent { .. } => {
                let number = u8::try_from(saga.intents.len()).unwrap_or(u8::MAX);
                if effect {
                    saga.intents.push(UNCONFIRMED);
                }
                Observation::Created(number)
            }
            Step::Retrieve(intent) => {
                Observation::Status(saga.intents[usize::from(self.fixture.number(&intent))].status)
            }
            Step::Confirm { intent, .. } => {
                let intent = &mut saga.intents[usize::from(self.fixture.number(&intent))];
                match card.filter(|_| effect) {
                    Some(Card::Succeeds) => capture(intent),
                    Some(Card::Declines) => intent.status = Status::Declined,
                    Some(Card::Processes) => intent.status = Status::Processing,
                    _ => {}
                }
                if matches!(observed, Observation::Created(_))
                    && self.has_mutation(Mutation::ConfirmBeforeStoring)
                    && !confirmed_early
                {
                    confirmed_early = true;
                    observed
                } else {
                    Observation::Status(intent.status)
                }
            }
            Step::Cancel(intent) => {
                let intent = &mut saga.intents[usize::from(self.fixture.number(&intent))];
                if effect && matches!(intent.status, Status::Unconfirmed | Status::Declined) {
                    intent.status = Status::Cancelled;
                }
                Observation::Status(intent.status)
            }
            Step::Wait { .. } => Observation::Status(Status::Cancelled),
            Step::Publish(_) => return Next::Retry,
        };
        if matches!(fault, Fault::LostRequest | Fault::LostResponse) {
            return self.fail_attempt(attempt, read);
        }
        let step = self.step(at, attempt, read, observed, self.fixture.while_leased());
        self.next_payment_work(attempt, (read, observed, confirmed_early), step)
    }

    /// Writes on the condition that the stored record has the previous version.
    fn write_payment(&self, saga: &mut Saga, payment: &Payment, now: Timestamp) -> bool {
        let row = self.fixture.payment_row(payment, now);
        let before = saga.payment.map_or(0, |row| row.version);
        if row.version != before.saturating_add(1) && !self.has_mutation(Mutation::UnconditionalPayment) {
            return false;
        }
        let final_before = saga.payment.filter(|row| !matches!(row.status, PaymentStatus::Charging { .. }));
        saga.history.final_state_changed |= final_before.is_some_and(|before| before.status != row.status);
        saga.payment = Some(row);
        true
    }

    /// Releases the lease, so that a retry need not wait until it expires.
    pub(super) fn release_payment_lease(
        &self,
        saga: &mut Saga,
        at: usize,
        attempt: &Attempt,
        read: PaymentRow,
    ) -> Next {
        let now = self.fixture.while_leased();
        let payment = self.fixture.payment(at, read);
        if let Some(released) = payment.release_lease(&self.fixture.attempt(attempt.owner, now)) {
            self.write_payment(saga, &released, now);
        }
        Next::Retry
    }
}

/// Queries for the report of a counterexample.
impl Protocol {
    /// The next step of a payment attempt.
    pub(crate) fn next_payment_step(&self, at: usize, attempt: &Attempt) -> Option<Step> {
        let Work::Pay { read, observed, confirmed_early } = attempt.work else { return None };
        Some(self.apply_mutation(
            read,
            observed,
            confirmed_early,
            self.step(at, attempt, read, observed, self.now(attempt, read)),
        ))
    }

    /// The compact form of a payment record.
    pub(crate) fn payment_row(&self, payment: &Payment) -> PaymentRow {
        self.fixture.payment_row(payment, self.fixture.while_leased())
    }

    /// The index of a PaymentIntent at the provider.
    pub(crate) fn intent_number(&self, intent: &domain::PaymentIntentId) -> usize {
        usize::from(self.fixture.number(intent))
    }

    /// Whether the mutation `remove-before-publish` is active.
    pub(crate) fn removes_before_publishing(&self) -> bool {
        self.has_mutation(Mutation::RemoveBeforePublish)
    }
}
