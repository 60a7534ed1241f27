//! The events that partners are told of, and what they are told.

use std::collections::BTreeSet;

use domain::event::Fact;
use domain::payment::{DeclineReason, VoidReason};
use domain::reservation::Shortage;
use domain::{Event, Money, OrderDetails, OrderId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A type of event: those of the bus that carry the order's details, and so say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum EventType {
    /// The order was placed.
    #[serde(rename = "order.created")]
    OrderCreated,
    /// Somebody wants the order to be cancelled.
    #[serde(rename = "order.cancellation_requested")]
    CancellationRequested,
    /// The stock is held for the order.
    #[serde(rename = "reservation.confirmed")]
    ReservationConfirmed,
    /// The order cannot be had as it was placed.
    #[serde(rename = "reservation.rejected")]
    ReservationRejected,
    /// The customer was charged.
    #[serde(rename = "payment.succeeded")]
    PaymentSucceeded,
    /// The charge was declined.
    #[serde(rename = "payment.failed")]
    PaymentFailed,
    /// The customer was not charged, and never will be.
    #[serde(rename = "payment.voided")]
    PaymentVoided,
}

impl EventType {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::OrderCreated,
        Self::CancellationRequested,
        Self::ReservationConfirmed,
        Self::ReservationRejected,
        Self::PaymentSucceeded,
        Self::PaymentFailed,
        Self::PaymentVoided,
    ];

    /// Its name, on the bus and to partners.
    pub fn name(self) -> &'static str {
        match self {
            Self::OrderCreated => "order.created",
            Self::CancellationRequested => "order.cancellation_requested",
            Self::ReservationConfirmed => "reservation.confirmed",
            Self::ReservationRejected => "reservation.rejected",
            Self::PaymentSucceeded => "payment.succeeded",
            Self::PaymentFailed => "payment.failed",
            Self::PaymentVoided => "payment.voided",
        }
    }

    /// The type of `fact`, and the order in it; `None` for those that carry no order, and for refunds, which partners are
    /// not told of.
    pub fn of(fact: &Fact) -> Option<(Self, &OrderDetails)> {
        match fact {
            Fact::OrderCreated(it) => Some((Self::OrderCreated, &it.order)),
            Fact::CancellationRequested(it) => Some((Self::CancellationRequested, &it.order)),
            Fact::ReservationConfirmed(it) => Some((Self::ReservationConfirmed, &it.order)),
            Fact::ReservationRejected(it) => Some((Self::ReservationRejected, &it.order)),
            Fact::PaymentSucceeded(it) => Some((Self::PaymentSucceeded, &it.order)),
            Fact::PaymentFailed(it) => Some((Self::PaymentFailed, &it.order)),
            Fact::PaymentVoided(it) => Some((Self::PaymentVoided, &it.order)),
            Fact::ReservationCommitted(_)
            | Fact::ReservationReleased(_)
            | Fact::PaymentReported(_)
            | Fact::PaymentRefunded(_) => None,
        }
    }
}

/// The types that a partner wants to hear of: each once, at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<EventType>")]
#[schemars(with = "Vec<EventType>", extend("minItems" = 1, "maxItems" = 7, "uniqueItems" = true))]
pub struct EventTypes(BTreeSet<EventType>);

impl EventTypes {
    /// Whether `kind` is among them.
    pub fn contain(&self, kind: EventType) -> bool {
        self.0.contains(&kind)
    }
}

/// All of them.
impl Default for EventTypes {
    fn default() -> Self {
        Self(EventType::ALL.into())
    }
}

/// From their names: a name that is not known is an error of the whole list, which parsers place rightly.
impl TryFrom<Vec<String>> for EventTypes {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let known = |name: &String| EventType::ALL.into_iter().find(|kind| kind.name() == name);
        let types: Option<BTreeSet<EventType>> = names.iter().map(known).collect();
        match types {
            Some(types) if types.is_empty() => {
                Err("must name at least one type; leave it out for all".into())
            }
            Some(types) if types.len() < names.len() => Err("must name each type once".into()),
            Some(types) => Ok(Self(types)),
            None => {
                let all: Vec<&str> = EventType::ALL.into_iter().map(EventType::name).collect();
                Err(format!("may have these types only: {}", all.join(", ")))
            }
        }
    }
}

impl From<EventTypes> for Vec<EventType> {
    fn from(types: EventTypes) -> Self {
        types.0.into_iter().collect()
    }
}

/// What is sent to a partner. Thin: no name and no address; who wants to know more reads the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEvent")]
pub struct Payload<'a> {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// To which order.
    pub data: PayloadData<'a>,
}

/// The order that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEventData")]
pub struct PayloadData<'a> {
    /// Which.
    pub order_id: OrderId,
    /// Whose, as the partner calls them.
    pub customer_id: &'a str,
    /// What it costs.
    pub total: Money,
    /// Why, where there is a reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason<'a>>,
    /// What stood in the way of a `reservation.rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortages: Option<&'a [Shortage]>,
}

/// Why something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookReason")]
#[serde(untagged)]
pub enum Reason<'a> {
    /// Who did not want the order any more: of `order.cancellation_requested` and `payment.voided`.
    Wish(VoidReason),
    /// What the payment provider said: of `payment.failed`.
    Decline(&'a DeclineReason),
}

impl<'a> Payload<'a> {
    /// What `event` says to the partner who calls its customer `customer_id`; `None` where it carries no order.
    pub fn of(event: &'a Event, customer_id: &'a str) -> Option<Self> {
        let (kind, order) = EventType::of(&event.fact)?;
        let reason = match &event.fact {
            Fact::CancellationRequested(it) => Some(Reason::Wish(it.reason)),
            Fact::PaymentVoided(it) => Some(Reason::Wish(it.reason)),
            Fact::PaymentFailed(it) => Some(Reason::Decline(&it.reason)),
            _ => None,
        };
        let shortages = match &event.fact {
            Fact::ReservationRejected(it) => Some(it.shortages.as_slice()),
            _ => None,
        };
        let data =
            PayloadData { order_id: event.subject, customer_id, total: order.total, reason, shortages };
        Some(Self { kind, timestamp: event.time, data })
    }
}

/// The event without who ordered and how they pay, so that it can be kept: nothing of that is sent to a partner.
///
/// # Errors
/// Never, but for a change of what the domain takes for a name.
pub fn without_person(event: &Event) -> anyhow::Result<Event> {
    let mut event = event.clone();
    let order = match &mut event.fact {
        Fact::OrderCreated(it) => &mut it.order,
        Fact::CancellationRequested(it) => &mut it.order,
        Fact::ReservationConfirmed(it) => &mut it.order,
        Fact::ReservationRejected(it) => &mut it.order,
        Fact::PaymentSucceeded(it) => &mut it.order,
        Fact::PaymentFailed(it) => &mut it.order,
        Fact::PaymentVoided(it) => &mut it.order,
        Fact::PaymentRefunded(it) => &mut it.order,
        Fact::ReservationCommitted(_) | Fact::ReservationReleased(_) | Fact::PaymentReported(_) => {
            return Ok(event);
        }
    };
    order.customer.name = "-".parse()?;
    order.customer.email = "nobody@example.invalid".parse()?;
    order.payment_method = "-".parse()?;
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_written_as_they_are_called() {
        for kind in EventType::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            let read: EventTypes = serde_json::from_value(serde_json::json!([kind.name()])).unwrap();
            assert!(read.contain(kind));
        }
    }
}
