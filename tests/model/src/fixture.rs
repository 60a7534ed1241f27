//! Whole records for the rules of `domain`, and what their answers come down to.
//!
//! All that is left out of [`crate::state`] is the same in every state: names, prices, ids. A lease is active at
//! [`Fixture::during`] and over at [`Fixture::after`], so that which of the two an attempt's clock shows is a choice
//! of the checker.

use std::collections::BTreeMap;

use anyhow::Context;
use domain::claim::{self, Claim, Fingerprint};
use domain::event::{
    CancellationRequested, OrderCreated, PaymentFailed, PaymentSucceeded, PaymentVoided,
    ReservationConfirmed, ReservationRejected, ReservationSettled,
};
use domain::order::{Order, Outcome, Settlement};
use domain::payment::{self, DeclineReason, IntentStatus, Payment, PaymentState, ProviderObservation};
use domain::reservation::{ProductStock, Reservation, ReservationState, Shortage, ShortageKind};
use domain::{
    Attempt, Cause, Customer, Fact, Lease, Line, Lines, Money, OrderDetails, OrderId, PaymentIntentId, Sku,
};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::state::{
    Charge, ClaimRow, End, Ending, Held, Intent, News, OrderRow, Owner, PaymentRow, Said, Status,
};

/// How long a lease lasts. Any time between [`Fixture::during`] and [`Fixture::after`] does.
const LEASE: SignedDuration = SignedDuration::from_secs(45);
/// More PaymentIntents than any order gets.
const MOST_INTENTS: u8 = 32;

/// What is the same in every state.
#[derive(Debug)]
pub(crate) struct Fixture {
    orders: Vec<(OrderId, OrderDetails)>,
    intents: Vec<PaymentIntentId>,
    skus: [Sku; 2],
    price: Money,
    cause: Cause,
    during: Timestamp,
}

impl Fixture {
    /// Orders with so many pieces of each of the two products.
    pub(crate) fn new(pieces: &[[u8; 2]]) -> anyhow::Result<Self> {
        let during = Timestamp::from_second(1_800_000_000)?;
        let skus: [Sku; 2] = ["TEA-001".parse()?, "TEA-002".parse()?];
        let price: Money = serde_json::from_str(r#"{"amount": 1250, "currency": "EUR"}"#)?;
        let customer: Customer =
            serde_json::from_str(r#"{"id": "c", "name": "Ada", "email": "ada@example.com"}"#)?;
        let mut orders = Vec::new();
        for (number, pieces) in (1_u128..).zip(pieces) {
            let mut lines = Vec::new();
            for (sku, quantity) in skus.iter().zip(pieces).filter(|(_, pieces)| **pieces > 0) {
                let quantity = i64::from(*quantity).try_into()?;
                lines.push(Line { sku: sku.clone(), quantity, unit_price: price });
            }
            let lines = Lines::try_from(lines).context("an order of the scope has no lines")?;
            let details = OrderDetails::new(customer.clone(), lines, "pm".parse()?, during);
            orders.push((OrderId::from(Uuid::from_u128(number)), details));
        }
        let intents = (0..MOST_INTENTS).map(|number| Ok(format!("pi_{number}").parse()?));
        let intents = intents.collect::<anyhow::Result<_>>()?;
        let cause = Cause { correlation_id: "request".parse()?, causation_id: None, traceparent: None };
        Ok(Self { orders, intents, skus, price, cause, during })
    }

    /// A time at which a lease is active that anybody holds.
    pub(crate) fn during(&self) -> Timestamp {
        self.during
    }

    /// A time at which every lease is over, and every wish to cancel may be repeated.
    pub(crate) fn after(&self) -> Timestamp {
        self.during.saturating_add(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn id(&self, case: usize) -> OrderId {
        self.orders[case].0
    }

    pub(crate) fn details(&self, case: usize) -> &OrderDetails {
        &self.orders[case].1
    }

    pub(crate) fn cause(&self) -> &Cause {
        &self.cause
    }

    pub(crate) fn attempt(&self, owner: Owner, now: Timestamp) -> Attempt {
        Attempt { owner: Uuid::from_u128(u128::from(owner)), now, lease_duration: LEASE }
    }

    /// Which of the two products this is.
    pub(crate) fn product(&self, sku: &Sku) -> usize {
        usize::from(*sku != self.skus[0])
    }

    pub(crate) fn on_sale(&self, available: [i8; 2]) -> BTreeMap<Sku, ProductStock> {
        let on_sale = |available: i8| ProductStock {
            available: u32::try_from(available).unwrap_or(0),
            price: self.price,
        };
        self.skus.iter().cloned().zip(available.map(on_sale)).collect()
    }

    fn lease(&self, owner: Owner, given_up: bool) -> Lease {
        let lease = self.attempt(owner, self.during).lease();
        if given_up { lease.released(self.during) } else { lease }
    }

    /// What a lease comes down to. One that was taken at any time is active until its owner ends.
    fn holder(lease: &Lease, now: Timestamp) -> (Owner, bool) {
        (Owner::try_from(lease.owner.as_u128()).unwrap_or(Owner::MAX), lease.expires_at <= now)
    }

    pub(crate) fn intent(&self, number: u8) -> PaymentIntentId {
        self.intents[usize::from(number)].clone()
    }

    pub(crate) fn number(&self, intent: &PaymentIntentId) -> u8 {
        (0_u8..).zip(&self.intents).find(|(_, known)| *known == intent).map_or(0, |(number, _)| number)
    }

    pub(crate) fn seen(&self, said: Said) -> ProviderObservation {
        match said {
            Said::Nothing => ProviderObservation::Nothing,
            Said::Created(number) => ProviderObservation::Created(self.intent(number)),
            Said::Refused => ProviderObservation::Refused(declined()),
            Said::Stands(status) => ProviderObservation::Status(match status {
                Status::Unconfirmed => IntentStatus::Unconfirmed,
                Status::Processing => IntentStatus::Processing,
                Status::Succeeded => IntentStatus::Succeeded,
                Status::Declined => IntentStatus::Declined(declined()),
                Status::Cancelled => IntentStatus::Cancelled,
            }),
        }
    }

    pub(crate) fn payment(&self, case: usize, row: PaymentRow) -> Payment {
        let at = self.during;
        let state = match row.charge {
            Charge::Charging { owner, given_up, intent, ending } => PaymentState::Charging {
                lease: self.lease(owner, given_up),
                attempt: 1,
                intent: intent.map(|number| self.intent(number)),
                ending: ending.map(|ending| match ending {
                    Ending::Void(reason) => payment::Ending::Void(reason),
                    Ending::Decline => payment::Ending::Decline(declined()),
                }),
            },
            Charge::Succeeded { intent } => PaymentState::Succeeded { intent: self.intent(intent), at },
            Charge::Declined => PaymentState::Declined { reason: declined(), at },
            Charge::Voided(reason) => PaymentState::Voided { reason, at },
        };
        let (order_id, order, cause) = (self.id(case), self.details(case).clone(), self.cause.clone());
        Payment { order_id, order, cause, version: row.version.into(), state }
    }

    /// What a record that the rules gave at `now` comes down to.
    pub(crate) fn payment_row(&self, payment: &Payment, now: Timestamp) -> PaymentRow {
        let charge = match &payment.state {
            PaymentState::Charging { lease, attempt: _, intent, ending } => {
                let (owner, given_up) = Self::holder(lease, now);
                Charge::Charging {
                    owner,
                    given_up,
                    intent: intent.as_ref().map(|intent| self.number(intent)),
                    ending: ending.as_ref().map(|ending| match ending {
                        payment::Ending::Void(reason) => Ending::Void(*reason),
                        payment::Ending::Decline(_) => Ending::Decline,
                    }),
                }
            }
            PaymentState::Succeeded { intent, .. } => Charge::Succeeded { intent: self.number(intent) },
            PaymentState::Declined { .. } => Charge::Declined,
            PaymentState::Voided { reason, .. } => Charge::Voided(*reason),
        };
        PaymentRow { version: u8::try_from(payment.version).unwrap_or(u8::MAX), charge }
    }

    pub(crate) fn claim(&self, row: ClaimRow) -> Claim {
        let by = Uuid::from_u128(row.claimed.map_or(0, |(owner, _)| owner.into()));
        Claim {
            version: row.version.into(),
            fingerprint: Fingerprint::from([0; 32]),
            // Counted for the policies that ask; that of mails, `Retry`, does not.
            unknown_outcomes: 0,
            status: match row.claimed {
                Some((owner, false)) => claim::Status::InProgress { lease: self.lease(owner, false) },
                Some((_, true)) => claim::Status::NotDone { by, at: self.during },
                None => claim::Status::Completed { by, at: self.during, receipt: "receipt".to_owned() },
            },
        }
    }

    pub(crate) fn order(&self, case: usize, row: OrderRow) -> Order {
        Order {
            id: self.id(case),
            details: self.details(case).clone(),
            cause: self.cause.clone(),
            reserved: row.reserved,
            cancellation: row.cancellation,
            cancellation_requested_at: row.cancellation.map(|_| self.during),
            outcome: row.outcome.map(|end| match end {
                End::Paid => Outcome::Paid,
                End::Rejected => Outcome::Rejected,
                End::PaymentFailed => Outcome::PaymentFailed,
                End::Voided(reason) => Outcome::Voided(reason),
            }),
            settlement: row.sold.map(|sold| if sold { Settlement::Committed } else { Settlement::Released }),
        }
    }

    /// What an order comes down to, under the version of the next write.
    pub(crate) fn order_row(order: &Order, read: u8) -> OrderRow {
        OrderRow {
            version: read.saturating_add(1),
            reserved: order.reserved,
            cancellation: order.cancellation,
            outcome: order.outcome.map(|outcome| match outcome {
                Outcome::Paid => End::Paid,
                Outcome::Rejected => End::Rejected,
                Outcome::PaymentFailed => End::PaymentFailed,
                Outcome::Voided(reason) => End::Voided(reason),
            }),
            sold: order.settlement.map(|settlement| settlement == Settlement::Committed),
        }
    }

    pub(crate) fn reservation(&self, case: usize, held: Held) -> Reservation {
        let lines = match held {
            Held::Held | Held::Committed | Held::Released => Vec::from(self.details(case).lines.clone()),
            Held::Tombstone | Held::Rejected => Vec::new(),
        };
        let state = match held {
            Held::Held => ReservationState::Held,
            Held::Committed => ReservationState::Committed,
            Held::Released | Held::Tombstone => ReservationState::Released,
            Held::Rejected => ReservationState::Rejected { shortages: self.shortages() },
        };
        Reservation { order_id: self.id(case), lines, state }
    }

    fn shortages(&self) -> Vec<Shortage> {
        let kind = ShortageKind::OutOfStock { available: 0 };
        vec![Shortage { sku: self.skus[0].clone(), kind }]
    }

    pub(crate) fn held(reservation: &Reservation) -> Held {
        match reservation.state {
            ReservationState::Held => Held::Held,
            ReservationState::Committed => Held::Committed,
            ReservationState::Released if reservation.lines.is_empty() => Held::Tombstone,
            ReservationState::Released => Held::Released,
            ReservationState::Rejected { .. } => Held::Rejected,
        }
    }

    /// The fact behind an event.
    pub(crate) fn fact(&self, case: usize, news: News) -> Fact {
        let order = self.details(case).clone();
        match news {
            News::Created => Fact::OrderCreated(OrderCreated { order }),
            News::Wish(reason) => Fact::CancellationRequested(CancellationRequested { order, reason }),
            News::Confirmed => Fact::ReservationConfirmed(ReservationConfirmed { order }),
            News::Rejected => {
                Fact::ReservationRejected(ReservationRejected { order, shortages: self.shortages() })
            }
            News::Committed => Fact::ReservationCommitted(ReservationSettled {}),
            News::Released => Fact::ReservationReleased(ReservationSettled {}),
            News::Succeeded => {
                let (payment_intent, amount) = (self.intent(0), order.total);
                Fact::PaymentSucceeded(PaymentSucceeded { order, payment_intent, amount })
            }
            News::Failed => Fact::PaymentFailed(PaymentFailed { order, reason: declined() }),
            News::Voided(reason) => Fact::PaymentVoided(PaymentVoided { order, reason }),
        }
    }

    /// What a fact comes down to.
    pub(crate) fn news(fact: &Fact) -> News {
        match fact {
            Fact::OrderCreated(_) => News::Created,
            Fact::CancellationRequested(wish) => News::Wish(wish.reason),
            // A report has process-payment do what its own event does when it comes again.
            Fact::ReservationConfirmed(_) | Fact::PaymentReported(_) => News::Confirmed,
            Fact::ReservationRejected(_) => News::Rejected,
            Fact::ReservationCommitted(_) => News::Committed,
            Fact::ReservationReleased(_) => News::Released,
            // Refunds are no part of the protocol: nothing in the model publishes one.
            Fact::PaymentSucceeded(_) | Fact::PaymentRefunded(_) => News::Succeeded,
            Fact::PaymentFailed(_) => News::Failed,
            Fact::PaymentVoided(voided) => News::Voided(voided.reason),
        }
    }
}

fn declined() -> DeclineReason {
    DeclineReason { code: "card_declined".to_owned(), decline_code: None }
}

/// A new PaymentIntent.
pub(crate) const UNCONFIRMED: Intent = Intent { status: Status::Unconfirmed, captures: 0 };
