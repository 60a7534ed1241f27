//! The order: what was ordered, and the state machine that follows what became of it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{CancellationRequested, Cause, Event, Fact, OrderCreated};
use crate::id::{OrderId, PaymentMethodId, Sku};
use crate::money::{Money, MoneyError};
use crate::payment::VoidReason;
use crate::person::Customer;
use crate::text::InvalidText;

/// The most lines that one order may have. The reservation changes every line's stock in one DynamoDB
/// transaction, which takes 100 items; half of that leaves room, and keeps an event far below 256 KB.
pub const MAX_LINES: usize = 50;
/// How long payments has to answer a wish to cancel before it is asked again. Longer than its retries take.
pub const CANCELLATION_RETRY_INTERVAL: SignedDuration = SignedDuration::from_hours(1);
/// The most pieces of one product in one order.
pub const MAX_QUANTITY: u32 = 999;

/// A number of pieces, 1 to [`MAX_QUANTITY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "i64", into = "u32")]
#[schemars(with = "u32", extend("minimum" = 1, "maximum" = MAX_QUANTITY))]
pub struct Quantity(u32);

impl Quantity {
    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidText;
    fn try_from(pieces: i64) -> Result<Self, Self::Error> {
        u32::try_from(pieces)
            .ok()
            .filter(|pieces| (1..=MAX_QUANTITY).contains(pieces))
            .map(Self)
            .ok_or_else(|| InvalidText(format!("must be 1 to {MAX_QUANTITY} pieces, is {pieces}")))
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

/// So many pieces of one product, at the price that the customer was shown. The inventory holds nothing at
/// another price, so a client that makes up a price gets a rejection instead of a bargain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Which product.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// The price of one.
    pub unit_price: Money,
}

/// The lines of an order: 1 to [`MAX_LINES`], each product once, all in one currency, with a total that fits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<Line>", into = "Vec<Line>")]
#[schemars(with = "Vec<Line>", extend("minItems" = 1, "maxItems" = MAX_LINES))]
pub struct Lines {
    lines: Vec<Line>,
    total: Money,
}

/// Why lines do not make an order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLines {
    /// None, or more than [`MAX_LINES`].
    #[error("must have 1 to {MAX_LINES} lines, has {0}")]
    Count(usize),
    /// Two lines for one product.
    #[error("must name each product once, names {0} twice: add the quantities up")]
    Duplicate(Sku),
    /// The prices do not add up.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Lines {
    /// The lines.
    pub fn iter(&self) -> std::slice::Iter<'_, Line> {
        self.lines.iter()
    }

    /// What they cost together.
    pub fn total(&self) -> Money {
        self.total
    }
}

impl TryFrom<Vec<Line>> for Lines {
    type Error = InvalidLines;

    fn try_from(lines: Vec<Line>) -> Result<Self, Self::Error> {
        if lines.len() > MAX_LINES {
            return Err(InvalidLines::Count(lines.len()));
        }
        let mut seen = BTreeSet::new();
        let mut total: Option<Money> = None;
        for line in &lines {
            if !seen.insert(&line.sku) {
                return Err(InvalidLines::Duplicate(line.sku.clone()));
            }
            let price = line.unit_price.checked_mul(line.quantity.get())?;
            total = Some(match total {
                Some(sum) => sum.checked_add(price)?,
                None => price,
            });
        }
        let total = total.ok_or(InvalidLines::Count(0))?;
        Ok(Self { lines, total })
    }
}

impl From<Lines> for Vec<Line> {
    fn from(lines: Lines) -> Self {
        lines.lines
    }
}

/// All that others need to know of an order, carried in the events so that nobody has to ask for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawDetails")]
pub struct OrderDetails {
    /// Who ordered.
    pub customer: Customer,
    /// What.
    pub lines: Lines,
    /// What it costs: the sum of the lines.
    pub total: Money,
    /// How it is to be paid.
    pub payment_method: PaymentMethodId,
    /// When.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub placed_at: Timestamp,
}

#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "OrderDetails")]
struct RawDetails {
    customer: Customer,
    lines: Lines,
    total: Money,
    payment_method: PaymentMethodId,
    #[schemars(with = "String", extend("format" = "date-time"))]
    placed_at: Timestamp,
}

impl TryFrom<RawDetails> for OrderDetails {
    type Error = InvalidText;

    fn try_from(raw: RawDetails) -> Result<Self, Self::Error> {
        if raw.total != raw.lines.total() {
            return Err(InvalidText(format!(
                "the total must be the sum of the lines, {}, is {}",
                raw.lines.total(),
                raw.total
            )));
        }
        Ok(Self::new(raw.customer, raw.lines, raw.payment_method, raw.placed_at))
    }
}

impl OrderDetails {
    /// The details of an order placed now.
    pub fn new(
        customer: Customer,
        lines: Lines,
        payment_method: PaymentMethodId,
        placed_at: Timestamp,
    ) -> Self {
        Self { customer, total: lines.total(), lines, payment_method, placed_at }
    }
}

/// Where an order stands, as shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Taken, and on its way.
    Placed,
    /// Its stock is held; the payment is next.
    Reserved,
    /// Not to be charged any more, if that is still possible.
    Cancelling,
    /// Charged. Final.
    Paid,
    /// Out of stock, or at another price. Final.
    Rejected,
    /// The payment was declined. Final.
    PaymentFailed,
    /// Given up by the customer before it was charged. Final.
    Cancelled,
    /// Given up by the shop because it took too long. Final.
    Expired,
}

impl OrderStatus {
    /// Whether nothing will change it any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Paid | Self::Rejected | Self::PaymentFailed | Self::Cancelled | Self::Expired)
    }
}

/// How an order ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "reason")]
pub enum Outcome {
    /// Charged.
    Paid,
    /// Not to be had.
    Rejected,
    /// Declined.
    PaymentFailed,
    /// Never charged.
    Voided(VoidReason),
}

/// What became of the stock that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// Sold.
    Committed,
    /// Free again.
    Released,
}

/// The order service's record of an order. Its status is worked out of what is known, so no order of events
/// can move it backwards.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Order {
    /// Which.
    pub id: OrderId,
    /// What was ordered.
    pub details: OrderDetails,
    /// The request that placed it.
    pub cause: Cause,
    /// Whether its stock is, or was, held.
    #[serde(default)]
    pub reserved: bool,
    /// Who asked to cancel it first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<VoidReason>,
    /// When payments was last asked to void it.
    #[serde(rename = "asked_at", default, skip_serializing_if = "Option::is_none")]
    pub cancellation_requested_at: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// What became of the stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement: Option<Settlement>,
}

/// What an event means to an order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Applied {
    /// The order is now so.
    Changed(Box<Order>),
    /// It says nothing new.
    Unchanged,
    /// It cannot be true of this order, as far as this order knows. A person has to look.
    Conflict(String),
}

impl Order {
    /// A new order, and the event that tells of it.
    pub fn place(id: OrderId, details: OrderDetails, cause: Cause) -> (Self, Event) {
        let created = Fact::OrderCreated(OrderCreated { order: details.clone() });
        let event = Event::new(id, created, details.placed_at, cause.clone());
        (
            Self {
                id,
                details,
                cause,
                reserved: false,
                cancellation: None,
                cancellation_requested_at: None,
                outcome: None,
                settlement: None,
            },
            event,
        )
    }

    /// Where it stands.
    pub fn status(&self) -> OrderStatus {
        match (self.outcome, self.cancellation) {
            (Some(Outcome::Paid), _) => OrderStatus::Paid,
            (Some(Outcome::Rejected), _) => OrderStatus::Rejected,
            (Some(Outcome::PaymentFailed), _) => OrderStatus::PaymentFailed,
            (Some(Outcome::Voided(VoidReason::Expired)), _) => OrderStatus::Expired,
            (Some(Outcome::Voided(_)), _) => OrderStatus::Cancelled,
            (None, Some(_)) => OrderStatus::Cancelling,
            (None, None) if self.reserved => OrderStatus::Reserved,
            (None, None) => OrderStatus::Placed,
        }
    }

    /// Asks for the order not to be charged. `None` where that has been asked within [`CANCELLATION_RETRY_INTERVAL`], or is too
    /// late: look at [`Order::status`]. The answer comes from payments, as an event. Asking again is the same event,
    /// with the reason of the first, so that an order does not hang when the wish or the answer was thrown away.
    pub fn request_cancellation(
        &self,
        reason: VoidReason,
        now: Timestamp,
        cause: Cause,
    ) -> Option<(Self, Event)> {
        let just_asked = self.cancellation_requested_at.is_some_and(|at| now.duration_since(at) < CANCELLATION_RETRY_INTERVAL);
        if self.outcome.is_some() || (self.cancellation.is_some() && just_asked) {
            return None;
        }
        let reason = self.cancellation.unwrap_or(reason);
        let wish = Fact::CancellationRequested(CancellationRequested { order: self.details.clone(), reason });
        let asked = Self { cancellation: Some(reason), cancellation_requested_at: Some(now), ..self.clone() };
        Some((asked, Event::new(self.id, wish, now, cause)))
    }

    /// Takes in a fact, at any time, any number of times.
    pub fn apply(&self, fact: &Fact) -> Applied {
        let mut order = self.clone();
        let contradiction = match fact {
            // A paid order stays paid when money went back: what of it, the payment service tells.
            Fact::OrderCreated(_)
            | Fact::CancellationRequested(_)
            | Fact::PaymentReported(_)
            | Fact::PaymentRefunded(_) => None,
            Fact::ReservationConfirmed(_) => {
                order.reserved = true;
                None
            }
            Fact::ReservationRejected(_) => order.end(Outcome::Rejected),
            Fact::PaymentSucceeded(_) => order.end(Outcome::Paid),
            Fact::PaymentFailed(_) => order.end(Outcome::PaymentFailed),
            Fact::PaymentVoided(voided) => order.end(Outcome::Voided(voided.reason)),
            Fact::ReservationCommitted(_) => order.settle(Settlement::Committed),
            Fact::ReservationReleased(_) => order.settle(Settlement::Released),
        };
        match contradiction {
            Some(why) => Applied::Conflict(why),
            None if order == *self => Applied::Unchanged,
            None => Applied::Changed(Box::new(order)),
        }
    }

    /// The first outcome stays. A rejected order may still be voided by somebody who had asked for it before
    /// the rejection came: nothing was charged either way.
    fn end(&mut self, outcome: Outcome) -> Option<String> {
        match self.outcome {
            None => {
                self.outcome = Some(outcome);
                None
            }
            Some(first) if first == outcome => None,
            Some(Outcome::Rejected) if matches!(outcome, Outcome::Voided(_)) => None,
            Some(Outcome::Voided(_)) if outcome == Outcome::Rejected => None,
            Some(first) => Some(format!("the order ended as {first:?} and cannot end as {outcome:?} too")),
        }
    }

    fn settle(&mut self, settlement: Settlement) -> Option<String> {
        match self.settlement {
            None => {
                self.settlement = Some(settlement);
                None
            }
            Some(first) if first == settlement => None,
            Some(first) => Some(format!("the stock was {first:?} and cannot be {settlement:?} too")),
        }
    }
}
