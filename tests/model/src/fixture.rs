//! Conversion between the compact state and the complete records of `domain`.
//!
//! Whatever [`crate::state`] leaves out is the same in every state: names, prices, ids. A lease is active at
//! [`Fixture::while_leased`] and expired at [`Fixture::after_leases`]; the checker chooses which of the two
//! times an attempt's clock shows.

use std::collections::BTreeMap;

use anyhow::Context;
use domain::claim::{self, Claim, Fingerprint};
use domain::fact::{
    CancellationRequested, OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided,
    ReservationConfirmed, ReservationRejected, ReservationSettled,
};
use domain::order::{Order, Outcome, Settlement};
use domain::payment::{self, IntentStatus, Payment, PaymentState, ProviderObservation};
use domain::reservation::{ProductStock, Reservation, ReservationState};
use domain::{
    Attempt, Cause, Customer, DeclineReason, Event, Fact, Lease, Line, Lines, Money, OrderDetails, OrderId,
    PaymentIntentId, Shortage, ShortageKind, Sku,
};
use jiff::{SignedDuration, Timestamp};
use notifications::mail::{EmailKind, kind_and_order};
use platform::idempotency::{Key, Task};
use uuid::Uuid;

use crate::state::{
    ClaimRow, Email, Ending, EventKind, Intent, Observation, OrderOutcome, OrderRow, Owner, PaymentRow,
    PaymentStatus, ReservationStatus, Status,
};

/// The lease duration. Any duration shorter than from [`Fixture::while_leased`] to [`Fixture::after_leases`]
/// will do.
const LEASE_DURATION: SignedDuration = SignedDuration::from_secs(45);
/// More PaymentIntents than any order can have.
const MAX_INTENTS: u8 = 32;

/// The data that is the same in every state.
#[derive(Debug)]
pub(crate) struct Fixture {
    orders: Vec<(OrderId, OrderDetails)>,
    /// The events about each order.
    events: Vec<BTreeMap<EventKind, Event>>,
    intents: Vec<PaymentIntentId>,
    skus: [Sku; 2],
    price: Money,
    cause: Cause,
    email_task: Task,
    now: Timestamp,
}

impl Fixture {
    /// Creates the orders of a scope, from the quantities of the two products and their price in cents.
    pub(crate) fn new(units: &[[u8; 2]], cents: u32) -> anyhow::Result<Self> {
        let now = Timestamp::from_second(1_800_000_000)?;
        let skus: [Sku; 2] = ["TEA-001".parse()?, "TEA-002".parse()?];
        let price: Money = serde_json::from_str(&format!(r#"{{"amount": {cents}, "currency": "EUR"}}"#))?;
        let customer: Customer =
            serde_json::from_str(r#"{"id": "c", "name": "Ada", "email": "ada@example.com"}"#)?;
        let mut orders = Vec::new();
        for (number, units) in (1_u128..).zip(units) {
            let mut lines = Vec::new();
            for (sku, quantity) in skus.iter().zip(units).filter(|(_, units)| **units > 0) {
                let quantity = i64::from(*quantity).try_into()?;
                lines.push(Line { sku: sku.clone(), quantity, unit_price: price });
            }
            let lines = Lines::try_from(lines).context("an order of the scope has no lines")?;
            let details = OrderDetails::new(customer.clone(), lines, "pm".parse()?, now);
            orders.push((OrderId::from(Uuid::from_u128(number)), details));
        }
        let intents = (0..MAX_INTENTS).map(|number| Ok(format!("pi_{number}").parse()?));
        let intents = intents.collect::<anyhow::Result<_>>()?;
        let cause = Cause { correlation_id: "request".parse()?, causation_id: None, traceparent: None };
        let email_task =
            Task { key: Key::new("order", "email"), fingerprint: Fingerprint::from([0; 32]), since: now };
        let mut fixture = Self { orders, events: Vec::new(), intents, skus, price, cause, email_task, now };
        fixture.events = (0..fixture.orders.len())
            .map(|saga| {
                EventKind::ALL.into_iter().map(|kind| (kind, fixture.new_event(saga, kind))).collect()
            })
            .collect();
        Ok(fixture)
    }

    /// A time at which every unreleased lease is active.
    pub(crate) fn while_leased(&self) -> Timestamp {
        self.now
    }

    /// A time at which every lease has expired, and every cancellation request may be repeated.
    pub(crate) fn after_leases(&self) -> Timestamp {
        self.now.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn id(&self, saga: usize) -> OrderId {
        self.orders[saga].0
    }

    pub(crate) fn details(&self, saga: usize) -> &OrderDetails {
        &self.orders[saga].1
    }

    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    pub(crate) fn attempt(&self, owner: Owner, now: Timestamp) -> Attempt {
        Attempt { owner: Uuid::from_u128(u128::from(owner)), now, lease_duration: LEASE_DURATION }
    }

    /// The index of a product.
    pub(crate) fn product(&self, sku: &Sku) -> usize {
        usize::from(*sku != self.skus[0])
    }

    pub(crate) fn product_stock(&self, available: [i8; 2]) -> BTreeMap<Sku, ProductStock> {
        let product_stock = |available: i8| ProductStock {
            available: u32::try_from(available).unwrap_or(0),
            price: self.price,
        };
        self.skus.iter().cloned().zip(available.map(product_stock)).collect()
    }

    fn lease(&self, owner: Owner, released: bool) -> Lease {
        let lease = self.attempt(owner, self.now).lease();
        if released { lease.released(self.now) } else { lease }
    }

    /// The owner of a lease, and whether it was released. An unreleased lease is active until its owner ends.
    fn holder(lease: &Lease, now: Timestamp) -> (Owner, bool) {
        (Self::owner(lease.owner), lease.expires_at <= now)
    }

    fn owner(id: Uuid) -> Owner {
        Owner::try_from(id.as_u128()).unwrap_or(Owner::MAX)
    }

    pub(crate) fn intent(&self, number: u8) -> PaymentIntentId {
        self.intents[usize::from(number)].clone()
    }

    pub(crate) fn number(&self, intent: &PaymentIntentId) -> u8 {
        (0_u8..).zip(&self.intents).find(|(_, known)| *known == intent).map_or(0, |(number, _)| number)
    }

    pub(crate) fn observation(&self, observed: Observation) -> ProviderObservation {
        match observed {
            Observation::Nothing => ProviderObservation::Nothing,
            Observation::Created(number) => ProviderObservation::Created(self.intent(number)),
            Observation::Refused => ProviderObservation::Refused(declined()),
            Observation::Status(status) => ProviderObservation::Status(match status {
                Status::Unconfirmed => IntentStatus::Unconfirmed,
                Status::Processing => IntentStatus::Processing,
                Status::Succeeded => IntentStatus::Succeeded,
                Status::Declined => IntentStatus::Declined(declined()),
                Status::Cancelled => IntentStatus::Cancelled,
            }),
        }
    }

    /// The compact form of a response of the provider.
    pub(crate) fn observed(&self, observation: &ProviderObservation) -> Observation {
        match observation {
            ProviderObservation::Nothing => Observation::Nothing,
            ProviderObservation::Created(intent) => Observation::Created(self.number(intent)),
            ProviderObservation::Refused(_) => Observation::Refused,
            ProviderObservation::Status(status) => Observation::Status(match status {
                IntentStatus::Unconfirmed => Status::Unconfirmed,
                IntentStatus::Processing => Status::Processing,
                IntentStatus::Succeeded => Status::Succeeded,
                IntentStatus::Declined(_) => Status::Declined,
                IntentStatus::Cancelled => Status::Cancelled,
            }),
        }
    }

    pub(crate) fn payment(&self, saga: usize, row: PaymentRow) -> Payment {
        let at = self.now;
        let state = match row.status {
            PaymentStatus::Charging { owner, released, intent, ending } => PaymentState::Charging {
                lease: self.lease(owner, released),
                attempt: 1,
                intent: intent.map(|number| self.intent(number)),
                ending: ending.map(|ending| match ending {
                    Ending::Void(reason) => payment::Ending::Void(reason),
                    Ending::Decline => payment::Ending::Decline(declined()),
                }),
            },
            PaymentStatus::Succeeded { intent } => {
                PaymentState::Succeeded { intent: intent.map(|number| self.intent(number)), at }
            }
            PaymentStatus::Declined => PaymentState::Declined { reason: declined(), at },
            PaymentStatus::Voided(reason) => PaymentState::Voided { reason, at },
        };
        let (order_id, order, cause) = (self.id(saga), self.details(saga).clone(), self.cause.clone());
        Payment { order_id, order, cause, version: row.version.into(), state }
    }

    /// The compact form of a payment record that the rules returned at `now`.
    pub(crate) fn payment_row(&self, payment: &Payment, now: Timestamp) -> PaymentRow {
        let status = match &payment.state {
            PaymentState::Charging { lease, attempt: _, intent, ending } => {
                let (owner, released) = Self::holder(lease, now);
                PaymentStatus::Charging {
                    owner,
                    released,
                    intent: intent.as_ref().map(|intent| self.number(intent)),
                    ending: ending.as_ref().map(|ending| match ending {
                        payment::Ending::Void(reason) => Ending::Void(*reason),
                        payment::Ending::Decline(_) => Ending::Decline,
                    }),
                }
            }
            PaymentState::Succeeded { intent, .. } => {
                PaymentStatus::Succeeded { intent: intent.as_ref().map(|intent| self.number(intent)) }
            }
            PaymentState::Declined { .. } => PaymentStatus::Declined,
            PaymentState::Voided { reason, .. } => PaymentStatus::Voided(*reason),
        };
        PaymentRow { version: u8::try_from(payment.version).unwrap_or(u8::MAX), status }
    }

    pub(crate) fn claim(&self, row: ClaimRow) -> Claim {
        let by = Uuid::from_u128(row.claimed.map_or(0, |(owner, _)| owner.into()));
        Claim {
            version: row.version.into(),
            fingerprint: self.email_task.fingerprint.clone(),
            // The policy of emails, `Retry`, does not use the count.
            unknown_outcomes: 0,
            status: match row.claimed {
                Some((owner, false)) => claim::Status::InProgress { lease: self.lease(owner, false) },
                Some((_, true)) => claim::Status::NotDone { by, at: self.now },
                None => claim::Status::Completed { by, at: self.now, receipt: "receipt".to_owned() },
            },
        }
    }

    /// The compact form of a claim.
    pub(crate) fn claim_row(claim: &Claim) -> ClaimRow {
        let claimed = match &claim.status {
            claim::Status::InProgress { lease } => Some((Self::owner(lease.owner), false)),
            claim::Status::NotDone { by, .. } => Some((Self::owner(*by), true)),
            claim::Status::Completed { .. } => None,
        };
        ClaimRow { version: u8::try_from(claim.version).unwrap_or(u8::MAX), claimed }
    }

    /// The request to send an email: the model has a single payload.
    pub(crate) fn email_task(&self) -> &Task {
        &self.email_task
    }

    /// The email that an event triggers.
    pub(crate) fn email(&self, event: EventKind) -> Option<Email> {
        let (kind, _) = kind_and_order(&self.event(0, event).fact)?;
        Some(match kind {
            EmailKind::Confirmation => Email::Confirmation,
            EmailKind::Rejection => Email::Rejection,
            EmailKind::PaymentFailure => Email::PaymentFailure,
            EmailKind::Cancellation => Email::Cancellation,
        })
    }

    pub(crate) fn order(&self, saga: usize, row: OrderRow) -> Order {
        Order {
            id: self.id(saga),
            details: self.details(saga).clone(),
            cause: self.cause.clone(),
            reserved: row.reserved,
            cancellation: row.cancellation,
            cancellation_requested_at: row.cancellation.map(|_| self.now),
            outcome: row.outcome.map(|end| match end {
                OrderOutcome::Paid => Outcome::Paid,
                OrderOutcome::Rejected => Outcome::Rejected,
                OrderOutcome::PaymentFailed => Outcome::PaymentFailed,
                OrderOutcome::Voided(reason) => Outcome::Voided(reason),
            }),
            settlement: row.sold.map(|sold| if sold { Settlement::Committed } else { Settlement::Released }),
            // They are only shown to clients; no rule depends on them.
            shortages: Vec::new(),
        }
    }

    /// The compact form of an order, with the version after the next write.
    pub(crate) fn order_row(order: &Order, read: u8) -> OrderRow {
        OrderRow {
            version: read.saturating_add(1),
            reserved: order.reserved,
            cancellation: order.cancellation,
            outcome: order.outcome.map(|outcome| match outcome {
                Outcome::Paid => OrderOutcome::Paid,
                Outcome::Rejected => OrderOutcome::Rejected,
                Outcome::PaymentFailed => OrderOutcome::PaymentFailed,
                Outcome::Voided(reason) => OrderOutcome::Voided(reason),
            }),
            sold: order.settlement.map(|settlement| settlement == Settlement::Committed),
        }
    }

    pub(crate) fn reservation(&self, saga: usize, held: ReservationStatus) -> Reservation {
        let lines = match held {
            ReservationStatus::Held | ReservationStatus::Committed | ReservationStatus::Released => {
                Vec::from(self.details(saga).lines.clone())
            }
            ReservationStatus::Tombstone | ReservationStatus::Rejected => Vec::new(),
        };
        let state = match held {
            ReservationStatus::Held => ReservationState::Held,
            ReservationStatus::Committed => ReservationState::Committed,
            ReservationStatus::Released | ReservationStatus::Tombstone => ReservationState::Released,
            ReservationStatus::Rejected => ReservationState::Rejected { shortages: self.shortages() },
        };
        Reservation { order_id: self.id(saga), lines, created_at: self.now, changed_at: self.now, state }
    }

    fn shortages(&self) -> Vec<Shortage> {
        let kind = ShortageKind::OutOfStock { available: 0 };
        vec![Shortage { sku: self.skus[0].clone(), kind }]
    }

    pub(crate) fn reservation_status(reservation: &Reservation) -> ReservationStatus {
        match reservation.state {
            ReservationState::Held => ReservationStatus::Held,
            ReservationState::Committed => ReservationStatus::Committed,
            ReservationState::Released if reservation.lines.is_empty() => ReservationStatus::Tombstone,
            ReservationState::Released => ReservationStatus::Released,
            ReservationState::Rejected { .. } => ReservationStatus::Rejected,
        }
    }

    /// The event of this kind about an order.
    pub(crate) fn event(&self, saga: usize, kind: EventKind) -> &Event {
        &self.events[saga][&kind]
    }

    fn new_event(&self, saga: usize, kind: EventKind) -> Event {
        Event::new(self.id(saga), self.new_fact(saga, kind), self.now, self.cause.clone())
    }

    fn new_fact(&self, saga: usize, event: EventKind) -> Fact {
        let order = self.details(saga).clone();
        match event {
            EventKind::Created => Fact::OrderCreated(OrderCreated { order }),
            EventKind::CancellationRequested(reason) => {
                Fact::CancellationRequested(CancellationRequested { order, reason })
            }
            EventKind::Confirmed => Fact::ReservationConfirmed(ReservationConfirmed { order }),
            EventKind::Rejected => {
                Fact::ReservationRejected(ReservationRejected { order, shortages: self.shortages() })
            }
            EventKind::Committed => Fact::ReservationCommitted(ReservationSettled {}),
            EventKind::Released => Fact::ReservationReleased(ReservationSettled {}),
            EventKind::Succeeded => {
                let amount = order.total;
                let payment_intent = (!amount.is_zero()).then(|| self.intent(0));
                Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount })
            }
            EventKind::Failed => Fact::PaymentFailed(PaymentFailed { order, reason: declined() }),
            EventKind::Voided(reason) => Fact::PaymentVoided(PaymentVoided { order, reason }),
        }
    }

    /// The compact form of a fact.
    pub(crate) fn event_kind(fact: &Fact) -> EventKind {
        match fact {
            Fact::OrderCreated(_) => EventKind::Created,
            Fact::CancellationRequested(request) => EventKind::CancellationRequested(request.reason),
            // A report has the same effect on process-payment as a redelivery of its own event.
            Fact::ReservationConfirmed(_) | Fact::PaymentReported(_) => EventKind::Confirmed,
            Fact::ReservationRejected(_) => EventKind::Rejected,
            Fact::ReservationCommitted(_) => EventKind::Committed,
            Fact::ReservationReleased(_) => EventKind::Released,
            // Refunds are not part of the protocol: the model never publishes one.
            Fact::PaymentSucceeded(_) | Fact::PaymentRefunded(_) => EventKind::Succeeded,
            Fact::PaymentFailed(_) => EventKind::Failed,
            Fact::PaymentVoided(voided) => EventKind::Voided(voided.reason),
        }
    }
}

pub(crate) fn declined() -> DeclineReason {
    DeclineReason { code: "card_declined".to_owned(), decline_code: None }
}

/// A newly created PaymentIntent.
pub(crate) const UNCONFIRMED: Intent = Intent { status: Status::Unconfirmed, captures: 0 };
