//! `process-payment` and `void-payment`: the shipped [`Finalization`], one call per step, over the compact records
//! and a provider that behaves like Stripe.

use anyhow::anyhow;
use domain::PaymentIntentId;
use domain::payment::{Payment, PaymentState, ProviderObservation, Request};
use jiff::Timestamp;
use payments::finalization::{Finalization, Next as Action, Progress, ProviderRequest, Query, goal_of};
use payments::provider::ProviderError;
use platform::Failure;
use uuid::Uuid;

use super::{Next, Protocol, capture};
use crate::action::Fault;
use crate::fixture::{Fixture, UNCONFIRMED, declined};
use crate::mutation::Mutation;
use crate::scope::{Card, FaultKind};
use crate::state::{
    Attempt, EventKind, Function, Intent, Message, Observation, Owner, PaymentRow, PaymentStatus, Saga,
    State, Status, Work,
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

/// Where a payment attempt is: the compact form of [`Progress::Undecided`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// The record as it was read or written last.
    pub(super) read: Option<PaymentRow>,
    /// The latest response of the provider.
    pub(super) observed: Observation,
    /// Whether the PaymentIntent was confirmed before it was stored: the mutation `confirm-before-storing`.
    pub(super) confirmed_early: bool,
}

impl Position {
    fn work(self) -> Work {
        let Self { read, observed, confirmed_early } = self;
        Work::Pay { read, observed, confirmed_early }
    }

    fn of(work: Work) -> Option<Self> {
        match work {
            Work::Pay { read, observed, confirmed_early } => Some(Self { read, observed, confirmed_early }),
            _ => None,
        }
    }
}

impl Protocol {
    /// The owner of the lease that blocks a new attempt, if one does.
    pub(super) fn blocking_payment_owner(&self, saga: &Saga, at: usize) -> Option<Owner> {
        let message = Message { to: Function::ProcessPayment, event: EventKind::Confirmed };
        let other = Attempt {
            message,
            work: Work::ReadAgain,
            owner: Owner::MAX,
            has_message: false,
            is_stalled: false,
        };
        let read = self.after_read(saga.payment, at);
        match self.next_action(at, &other, read, self.fixture.while_leased()) {
            Some(Action::End(Err(Failure::Leased { .. }))) => lease_of(saga.payment).map(|(owner, _)| owner),
            _ => None,
        }
    }

    /// The next action of the shipped attempt; `None` if its event causes no attempt.
    fn next_action(
        &self,
        at: usize,
        attempt: &Attempt,
        progress: Progress,
        now: Timestamp,
    ) -> Option<Action> {
        let fixture = &self.fixture;
        let (goal, order) = goal_of(&fixture.event(at, attempt.message.event).fact)?;
        let request = Request { order_id: fixture.id(at), order, cause: fixture.cause() };
        let finalization = Finalization { owner: Uuid::from_u128(attempt.owner.into()), goal, request };
        Some(finalization.next(progress, now))
    }

    /// The pending call of an attempt, with the change that a mutation makes to it.
    fn pending_call(&self, at: usize, attempt: &Attempt, position: Position) -> Option<Action> {
        let stored = position.read.map(|row| self.fixture.payment(at, row));
        let observation = self.fixture.observation(position.observed);
        let now = self.now(attempt, position.read);
        let action = self.next_action(at, attempt, Progress::Undecided { stored, observation }, now);
        action.map(|action| self.apply_mutation(at, position, action))
    }

    fn after_read(&self, row: Option<PaymentRow>, at: usize) -> Progress {
        Progress::after_read(Ok(row.map(|row| self.fixture.payment(at, row))))
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
        let position =
            Position { read: saga.payment, observed: Observation::Nothing, confirmed_early: false };
        self.continue_payment(at, attempt, position, self.after_read(saga.payment, at), now)
    }

    /// Continues an attempt up to its next call. `position` is the compact form of `progress`.
    fn continue_payment(
        &self,
        at: usize,
        attempt: &Attempt,
        position: Position,
        progress: Progress,
        now: Timestamp,
    ) -> Next {
        match self.next_action(at, attempt, progress, now) {
            Some(Action::Read) => Next::Continue(Work::ReadAgain),
            Some(Action::Write(_) | Action::Ask(_)) => Next::Continue(position.work()),
            Some(Action::Release(release)) => match (position.read, release.done()) {
                (Some(read), Progress::Ended(Err(failure))) => Next::Continue(Work::ReleasePaymentLease {
                    read,
                    is_refused: matches!(failure, Failure::Reject(_) | Failure::Poison(_)),
                }),
                _ => Next::refused(),
            },
            Some(Action::End(Ok(event))) => Next::Continue(Work::Publish(Fixture::event_kind(&event.fact))),
            Some(Action::End(Err(failure))) => Next::Failed(failure),
            None => Next::refused(),
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
        let Some(call) = Position::of(attempt.work).and_then(|it| self.pending_call(at, attempt, it)) else {
            return Vec::new();
        };
        let request = match &call {
            Action::Ask(query) => Some(&query.request),
            _ => None,
        };
        let cards = self.scope.cards.iter().copied();
        let cards: Vec<Option<Card>> = match request {
            Some(ProviderRequest::Create(_)) => {
                let unknown = cards.clone().find(|card| *card == Card::Unknown);
                let known = cards.clone().find(|card| *card != Card::Unknown);
                [unknown, known].into_iter().flatten().map(Some).collect()
            }
            Some(ProviderRequest::Confirm { intent, .. }) => {
                let status = saga.intents[self.intent_number(intent)].status;
                if matches!(status, Status::Unconfirmed | Status::Declined) {
                    cards.filter(|card| *card != Card::Unknown).map(Some).collect()
                } else {
                    vec![None]
                }
            }
            _ => vec![None],
        };
        // A retrieval has no effect: a crash after it is equivalent to one before it.
        let has_effect = !matches!(request, Some(ProviderRequest::Retrieve(_)));
        let mut choices = Vec::new();
        for card in cards {
            choices.push((Fault::None, card));
            if may(FaultKind::Crash) && has_effect {
                choices.push((Fault::Crash, card));
            }
            if request.is_none() && may(FaultKind::SdkRetry) {
                choices.push((Fault::SdkRetry, card));
            }
            if request.is_some() && may(FaultKind::NoResponse) && has_effect {
                choices.push((Fault::LostResponse, card));
            }
        }
        if request.is_some() && may(FaultKind::NoResponse) {
            choices.push((Fault::LostRequest, None));
        }
        choices
    }

    /// Changes the call as a mutation does.
    fn apply_mutation(&self, at: usize, position: Position, mut action: Action) -> Action {
        let charging = position.read.and_then(|row| match row.status {
            PaymentStatus::Charging { owner, ending, .. } => Some((owner, ending)),
            _ => None,
        });
        match (self.mutation, charging, &mut action) {
            (Some(Mutation::ChargeWithoutLookup), Some((before, _)), Action::Write(write)) => {
                if let PaymentState::Charging { lease, intent, .. } = &mut write.payment.state
                    && lease.owner.as_u128() != u128::from(before)
                {
                    *intent = None;
                }
            }
            (Some(Mutation::ConfirmBeforeStoring), Some((_, None)), Action::Write(_)) => {
                if let Observation::Created(number) = position.observed
                    && !position.confirmed_early
                {
                    let intent = self.fixture.intent(number);
                    let request = ProviderRequest::Confirm { intent, idempotency_key: String::new() };
                    let stored = position.read.map(|row| self.fixture.payment(at, row));
                    return Action::Ask(Query { request, stored });
                }
            }
            _ => {}
        }
        action
    }

    /// Makes the next call of a payment attempt.
    pub(super) fn execute_payment_step(
        &self,
        state: &mut State,
        at: usize,
        attempt: &Attempt,
        fault: Fault,
        card: Option<Card>,
    ) -> Next {
        let Some(position) = Position::of(attempt.work) else { return Next::refused() };
        let saga = &mut state.sagas[at];
        let now = self.now(attempt, position.read);
        let (position, progress) = match self.pending_call(at, attempt, position) {
            Some(Action::Write(write)) => {
                let written = self.write_payment(saga, &write.payment, now) && fault != Fault::SdkRetry;
                let read = Some(self.fixture.payment_row(&write.payment, now));
                (Position { read, ..position }, write.answered(Ok(written)))
            }
            Some(Action::Ask(query)) => {
                let response = self.ask(saga, &query.request, position, fault, card);
                if self.confirms_early(position, &query.request) && response.is_ok() {
                    return Next::Continue(Position { confirmed_early: true, ..position }.work());
                }
                let progress = query.answered(response);
                let observed = match &progress {
                    Progress::Undecided { observation, .. } => self.fixture.observed(observation),
                    _ => position.observed,
                };
                (Position { observed, ..position }, progress)
            }
            _ => return Next::refused(),
        };
        self.continue_payment(at, attempt, position, progress, self.fixture.while_leased())
    }

    fn confirms_early(&self, position: Position, request: &ProviderRequest) -> bool {
        self.has_mutation(Mutation::ConfirmBeforeStoring)
            && !position.confirmed_early
            && matches!(position.observed, Observation::Created(_))
            && matches!(request, ProviderRequest::Confirm { .. })
    }

    /// Sends a request to the provider.
    fn ask(
        &self,
        saga: &mut Saga,
        request: &ProviderRequest,
        position: Position,
        fault: Fault,
        card: Option<Card>,
    ) -> Result<ProviderObservation, ProviderError> {
        let arrives = fault != Fault::LostRequest;
        let is_answered = !matches!(fault, Fault::LostRequest | Fault::LostResponse);
        let no_response = || ProviderError::Unknown(anyhow!("no response"));
        let observed = match request {
            ProviderRequest::Create(_) if card == Some(Card::Unknown) => {
                return Err(if is_answered { ProviderError::Refused(declined()) } else { no_response() });
            }
            ProviderRequest::Create(_) => {
                let number = u8::try_from(saga.intents.len()).unwrap_or(u8::MAX);
                if arrives {
                    saga.intents.push(UNCONFIRMED);
                }
                Observation::Created(number)
            }
            ProviderRequest::Retrieve(intent) => {
                Observation::Status(saga.intents[self.intent_number(intent)].status)
            }
            ProviderRequest::Confirm { intent, .. } => {
                let intent = &mut saga.intents[self.intent_number(intent)];
                match card.filter(|_| arrives) {
                    Some(Card::Succeeds) => capture(intent),
                    Some(Card::Declines) => intent.status = Status::Declined,
                    Some(Card::Processes) => intent.status = Status::Processing,
                    _ => {}
                }
                Observation::Status(intent.status)
            }
            ProviderRequest::Cancel(intent) => {
                let intent = &mut saga.intents[self.intent_number(intent)];
                if self.skips_cancellation(position) {
                    return Ok(self.fixture.observation(Observation::Status(Status::Cancelled)));
                }
                if arrives && matches!(intent.status, Status::Unconfirmed | Status::Declined) {
                    intent.status = Status::Cancelled;
                }
                if !is_answered && self.has_mutation(Mutation::UnknownIsCancelled) {
                    return Ok(self.fixture.observation(Observation::Status(Status::Cancelled)));
                }
                Observation::Status(intent.status)
            }
        };
        if is_answered { Ok(self.fixture.observation(observed)) } else { Err(no_response()) }
    }

    /// Whether a mutation does not send the request to cancel a PaymentIntent, and takes it for cancelled.
    fn skips_cancellation(&self, position: Position) -> bool {
        use crate::state::Ending::{Decline, Void};
        let Some(PaymentStatus::Charging { ending, .. }) = position.read.map(|row| row.status) else {
            return false;
        };
        matches!(
            (self.mutation, ending),
            (Some(Mutation::VoidWithoutCancelling), Some(Void(_)))
                | (Some(Mutation::DeclineWithoutCancelling), Some(Decline))
        )
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
        (read, is_refused): (PaymentRow, bool),
    ) -> Next {
        let now = self.fixture.while_leased();
        let failure = Failure::retry(anyhow!("the attempt failed"));
        let progress = self.after_read(Some(read), at).stopped(failure);
        if let Some(Action::Release(release)) = self.next_action(at, attempt, progress, now) {
            self.write_payment(saga, &release.payment, now);
        }
        if is_refused { Next::refused() } else { Next::retry() }
    }
}

/// Queries for the report of a counterexample.
impl Protocol {
    /// The pending call of a payment attempt.
    pub(crate) fn pending_payment_call(&self, at: usize, attempt: &Attempt) -> Option<Action> {
        self.pending_call(at, attempt, Position::of(attempt.work)?)
    }

    /// Whether a mutation does not send the attempt's request to cancel a PaymentIntent.
    pub(crate) fn skips_pending_cancellation(&self, attempt: &Attempt) -> bool {
        Position::of(attempt.work).is_some_and(|position| self.skips_cancellation(position))
    }

    /// The compact form of a payment record.
    pub(crate) fn payment_row(&self, payment: &Payment) -> PaymentRow {
        self.fixture.payment_row(payment, self.fixture.while_leased())
    }

    /// The index of a PaymentIntent at the provider.
    pub(crate) fn intent_number(&self, intent: &PaymentIntentId) -> usize {
        usize::from(self.fixture.number(intent))
    }
}
