//! How the functions drive the domain rules: they read, let the rules decide, execute one effect at a time,
//! publish, and acknowledge.
//!
//! This module contains no rules: `domain` decides how a record changes, the services and `platform` decide the next
//! call of an attempt, the event that it publishes, and whether its message is delivered again. The README says what is
//! transcribed.

mod actions;
mod email;
mod host;
mod inventory;
mod order;
mod payment;

use anyhow::anyhow;
use domain::order::Order;
use platform::Failure;

use crate::action::{Action, Fault};
use crate::fixture::Fixture;
use crate::mutation::Mutation;
use crate::scope::{Card, Scope};
use crate::state::{
    Attempt, DEAD_OWNER, EventKind, Function, Intent, Message, OrderRow, Saga, State, Status, Stock, Work,
};

/// The protocol within a scope, as it ships or with one protection switched off.
#[derive(Debug)]
pub struct Protocol {
    pub(crate) scope: Scope,
    pub(crate) mutation: Option<Mutation>,
    pub(crate) fixture: Fixture,
}

/// What follows a read or an effect of an attempt.
enum Next {
    /// The attempt continues with this work.
    Continue(Work),
    /// The attempt has succeeded.
    Done,
    /// The attempt has failed.
    Failed(Failure),
}

impl Next {
    /// The attempt has failed for a reason that may pass, such as a crash.
    fn retry() -> Self {
        Self::Failed(Failure::retry(anyhow!("the attempt failed")))
    }

    /// A rule has refused the request.
    fn refused() -> Self {
        Self::Failed(Failure::reject("a rule refused the request"))
    }
}

/// The functions that subscribe to an event in `template.yaml`.
pub fn subscribers(event: EventKind) -> &'static [Function] {
    use Function::{ProcessPayment, ReserveInventory, SendEmail, SettleReservation, TrackOrder, VoidPayment};
    match event {
        EventKind::Created => &[ReserveInventory],
        EventKind::CancellationRequested(_) => &[VoidPayment],
        EventKind::Confirmed => &[ProcessPayment, TrackOrder],
        EventKind::Rejected => &[SendEmail, TrackOrder],
        EventKind::Committed | EventKind::Released => &[TrackOrder],
        EventKind::Succeeded | EventKind::Failed | EventKind::Voided(_) => {
            &[SettleReservation, SendEmail, TrackOrder]
        }
    }
}

impl Protocol {
    /// Creates the protocol within `scope`, with one protection switched off if a mutation is given.
    ///
    /// # Errors
    /// If the scope contains an invalid order.
    pub fn new(scope: Scope, mutation: Option<Mutation>) -> anyhow::Result<Self> {
        let fixture = Fixture::new(scope.orders, scope.unit_price)?;
        Ok(Self { scope, mutation, fixture })
    }

    /// The bounds of the exploration.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn has_mutation(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    /// Whether the mutation `remove-before-publish` is active.
    pub(crate) fn removes_before_publishing(&self) -> bool {
        self.has_mutation(Mutation::RemoveBeforePublish)
    }

    fn is_included(&self, function: Function) -> bool {
        !self.scope.excluded.contains(&function)
    }

    /// Whether nothing in progress could change an order. Dead-letter messages do not count.
    fn is_idle(&self, saga: &Saga) -> bool {
        let moves = |message: &Message| message.to != Function::SendEmail;
        saga.placed
            && saga.outbox.is_empty()
            && !saga.queues.iter().any(moves)
            && !saga.attempts.iter().any(|attempt| moves(&attempt.message))
    }

    pub(crate) fn initial_state(&self) -> State {
        State {
            sagas: vec![Saga::default(); self.scope.orders.len()],
            stock: self.scope.stock.map(|available| Stock { available, held: 0, sold: 0 }),
            faults: self.scope.faults,
            cancellations: self.scope.cancellations,
            expiries: self.scope.expiries,
        }
    }

    /// Applies an action and returns the new state; `None` if nothing changes.
    pub(crate) fn apply(&self, before: &State, action: Action) -> Option<State> {
        let mut state = before.clone();
        let at = match action {
            Action::Place { saga, torn } => {
                self.place(&mut state, saga, torn);
                saga
            }
            Action::Relay { saga, event } => {
                let message = Message { to: Function::RelayOutbox, event };
                let work = Work::Relay { published: false };
                state.sagas[saga].attempts.push(Attempt {
                    message,
                    work,
                    owner: DEAD_OWNER,
                    has_message: false,
                    is_stalled: false,
                });
                saga
            }
            Action::Deliver { saga, message, lease_expired, duplicate } => {
                state.faults -= u8::from(!duplicate && provider_is_processing(&state.sagas[saga], message));
                take(&mut state.sagas[saga].queues, message);
                if duplicate {
                    state.faults -= 1;
                    state.sagas[saga].enqueue(message, self.scope.max_identical_messages);
                }
                self.start_attempt(&mut state, saga, message, true, lease_expired);
                saga
            }
            Action::Advance { saga, attempt, fault, card } => {
                state.faults -= u8::from(fault != Fault::None);
                self.advance(&mut state, saga, attempt, fault, card);
                saga
            }
            Action::Stall { saga, attempt } => {
                state.faults -= 1;
                let stalled_saga = &mut state.sagas[saga];
                let stalled = &mut stalled_saga.attempts[attempt];
                stalled.is_stalled = true;
                let (message, had_message) = (stalled.message, std::mem::take(&mut stalled.has_message));
                if matches!(stalled.work, Work::CompleteClaim { .. }) {
                    self.allow_duplicate(stalled_saga, message.event);
                }
                if had_message {
                    stalled_saga.enqueue(message, self.scope.max_identical_messages);
                }
                saga
            }
            Action::DeadLetter { saga, message } => {
                state.faults -= 1;
                take(&mut state.sagas[saga].queues, message);
                host::dead_letter(&mut state.sagas[saga], message);
                saga
            }
            Action::Redrive { saga, message } => {
                take(&mut state.sagas[saga].dead_letters, message);
                state.sagas[saga].enqueue(message, self.scope.max_identical_messages);
                saga
            }
            Action::Cancel { saga } => {
                state.cancellations -= 1;
                let event = EventKind::CancellationRequested(domain::VoidReason::CustomerRequest);
                self.start_attempt(
                    &mut state,
                    saga,
                    Message { to: Function::OrdersApi, event },
                    false,
                    false,
                );
                saga
            }
            Action::Expire { saga } => {
                if !self.is_idle(&state.sagas[saga]) {
                    state.expiries -= 1;
                }
                let event = EventKind::CancellationRequested(domain::VoidReason::Expired);
                self.start_attempt(
                    &mut state,
                    saga,
                    Message { to: Function::ExpireOrders, event },
                    false,
                    false,
                );
                saga
            }
            Action::FinishProcessing { saga, intent, charged } => {
                payment::process(&mut state.sagas[saga].intents[intent], charged);
                saga
            }
        };
        state.sagas[at].normalise();
        (state != *before).then_some(state)
    }

    /// Places an order: the order, the outbox row of its event and the idempotency key are written in one
    /// transaction.
    fn place(&self, state: &mut State, at: usize, torn: bool) {
        let fixture = &self.fixture;
        let (order, event) =
            Order::place(fixture.id(at), fixture.details(at).clone(), fixture.cause().clone());
        let saga = &mut state.sagas[at];
        saga.placed = true;
        saga.order = Some(Fixture::order_row(&order, 0));
        if torn {
            state.faults -= 1;
        } else {
            saga.put_outbox(Fixture::event_kind(&event.fact));
        }
    }

    /// Invokes a function with a message; its first read is part of the same step.
    fn start_attempt(
        &self,
        state: &mut State,
        at: usize,
        message: Message,
        has_message: bool,
        lease_expired: bool,
    ) {
        let leases =
            matches!(message.to, Function::ProcessPayment | Function::VoidPayment | Function::SendEmail);
        let owner = if leases { state.sagas[at].next_owner() } else { DEAD_OWNER };
        let attempt = Attempt { message, work: Work::ReadAgain, owner, has_message, is_stalled: false };
        let next = self.read(state, at, &attempt, lease_expired);
        self.conclude(state, at, attempt, next);
    }

    /// Reads the records that the attempt decides on, and determines its first effect.
    fn read(&self, state: &mut State, at: usize, attempt: &Attempt, lease_expired: bool) -> Next {
        match attempt.message.to {
            Function::RelayOutbox => Next::Done,
            Function::ReserveInventory => self.read_for_reservation(state, at),
            Function::SettleReservation => self.read_for_settlement(state, at, attempt.message.event),
            Function::ProcessPayment | Function::VoidPayment => {
                self.start_payment(&state.sagas[at], at, attempt, lease_expired)
            }
            Function::TrackOrder => self.read_for_tracking(&state.sagas[at], at, attempt.message.event),
            Function::OrdersApi | Function::ExpireOrders => {
                self.read_for_cancellation(&state.sagas[at], at, attempt.message)
            }
            Function::SendEmail => self.read_for_email(&state.sagas[at], attempt, lease_expired),
        }
    }

    /// Executes the attempt's next effect.
    fn advance(&self, state: &mut State, at: usize, number: usize, fault: Fault, card: Option<Card>) {
        let attempt = state.sagas[at].attempts.remove(number);
        let acknowledged = fault == Fault::Crash
            && self.has_mutation(Mutation::AcknowledgeBeforePublish)
            && matches!(attempt.work, Work::Publish(_));
        if acknowledged {
            return host::acknowledge(&mut state.sagas[at], &attempt);
        }
        let next = match attempt.work {
            Work::Relay { published } => {
                self.relay(&mut state.sagas[at], attempt.message.event, published, fault)
            }
            Work::ReadAgain => self.read(state, at, &attempt, false),
            Work::Reserve { read, available } => self.reserve(state, at, read, available),
            Work::Settle { read } => self.settle_stock(state, at, attempt.message.event, read),
            Work::Pay { .. } => self.execute_payment_step(state, at, &attempt, fault, card),
            Work::ReleasePaymentLease { read, is_refused } => {
                self.release_payment_lease(&mut state.sagas[at], at, &attempt, (read, is_refused))
            }
            Work::Track { read } => self.track(&mut state.sagas[at], at, attempt.message.event, read),
            Work::RequestCancellation { read } => {
                self.request_cancellation(&mut state.sagas[at], at, attempt.message, read)
            }
            Work::AcquireClaim { .. }
            | Work::SendEmail { .. }
            | Work::CompleteClaim { .. }
            | Work::ReleaseClaim { .. }
            | Work::ReadClaimAgain => self.send_email(&mut state.sagas[at], &attempt, fault),
            Work::Publish(event) => self.publish(&mut state.sagas[at], event, fault),
        };
        let next = match (fault, next) {
            (Fault::Crash, Next::Continue(_) | Next::Done) => Next::retry(),
            (_, next) => next,
        };
        self.conclude(state, at, attempt, next);
    }
}

/// Whether an attempt would find the PaymentIntent still processing, and be retried. The provider finishes
/// before a message exhausts its receives, so that a delivery in the meantime counts as a fault.
fn provider_is_processing(saga: &Saga, message: Message) -> bool {
    matches!(message.to, Function::ProcessPayment | Function::VoidPayment)
        && saga.intents.iter().any(|intent| intent.status == Status::Processing)
}

fn take(messages: &mut Vec<Message>, message: Message) {
    if let Some(at) = messages.iter().position(|other| *other == message) {
        messages.remove(at);
    }
}

/// Whether a write changes a final state of an order.
fn changes_final_state(before: OrderRow, after: OrderRow) -> bool {
    let changed = |before: Option<bool>| before.is_some() && before != after.sold;
    (before.outcome.is_some() && before.outcome != after.outcome) || changed(before.sold)
}

/// Captures a PaymentIntent.
fn capture(intent: &mut Intent) {
    intent.captures = intent.captures.saturating_add(1);
    intent.status = Status::Succeeded;
}
