//! The events that partners can subscribe to, and their payload.

use std::collections::BTreeSet;

use domain::{DeclineReason, Event, Fact, FactKind, Money, OrderDetails, OrderId, Shortage, VoidReason};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The events that partners can subscribe to, and their descriptions in the contract.
const TYPES: [(FactKind, &str); 7] = [
    (FactKind::OrderCreated, "The order was placed."),
    (FactKind::CancellationRequested, "The cancellation of the order was requested."),
    (FactKind::ReservationConfirmed, "Stock was reserved for the order."),
    (
        FactKind::ReservationRejected,
        "The stock could not be reserved: a product is out of stock, unknown or has another price.",
    ),
    (FactKind::PaymentSucceeded, "The customer was charged."),
    (FactKind::PaymentFailed, "The charge was declined."),
    (FactKind::PaymentVoided, "The payment was voided: the customer was not and will not be charged."),
];

/// A type of event. Partners can subscribe to the events of the bus that contain the order, and thus its
/// customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(with = "Value", extend("oneOf" = described_types()))]
pub struct EventType(FactKind);

/// The schema of each type.
fn described_types() -> Vec<Value> {
    let schema =
        |(kind, text): (FactKind, &str)| json!({"type": "string", "const": kind, "description": text});
    TYPES.map(schema).into()
}

impl EventType {
    /// Returns all event types.
    pub fn all() -> [Self; TYPES.len()] {
        TYPES.map(|(kind, _)| Self(kind))
    }

    /// Returns the name, on the bus and for partners.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Returns the type of `fact` and the order in it, or `None` if it contains no order or is a refund,
    /// which is not delivered to partners.
    pub fn classify(fact: &Fact) -> Option<(Self, &OrderDetails)> {
        let order = match fact {
            Fact::OrderCreated(it) => &it.order,
            Fact::CancellationRequested(it) => &it.order,
            Fact::ReservationConfirmed(it) => &it.order,
            Fact::ReservationRejected(it) => &it.order,
            Fact::PaymentSucceeded(it) => &it.order,
            Fact::PaymentFailed(it) => &it.order,
            Fact::PaymentVoided(it) => &it.order,
            Fact::ReservationCommitted(_)
            | Fact::ReservationReleased(_)
            | Fact::PaymentReported(_)
            | Fact::PaymentRefunded(_) => return None,
        };
        Self::all().into_iter().find(|kind| kind.0 == fact.kind()).zip(Some(order))
    }
}

/// A set of event types: at least one, each at most once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<String>", into = "Vec<EventType>")]
#[schemars(with = "Vec<EventType>", extend("minItems" = 1, "maxItems" = 7, "uniqueItems" = true))]
pub struct EventTypes(BTreeSet<EventType>);

impl EventTypes {
    /// Returns whether `kind` is in the set.
    pub fn contains(&self, kind: EventType) -> bool {
        self.0.contains(&kind)
    }
}

/// All event types.
impl Default for EventTypes {
    fn default() -> Self {
        Self(EventType::all().into())
    }
}

/// Parses a list of names. An unknown name is an error of the whole list, so that parsers report the right
/// location.
impl TryFrom<Vec<String>> for EventTypes {
    type Error = String;

    fn try_from(names: Vec<String>) -> Result<Self, String> {
        let known = |name: &String| EventType::all().into_iter().find(|kind| kind.name() == name);
        let types: Option<BTreeSet<EventType>> = names.iter().map(known).collect();
        match types {
            Some(types) if types.is_empty() => {
                Err("must name at least one type; omit the field for all types".into())
            }
            Some(types) if types.len() < names.len() => Err("must name each type once".into()),
            Some(types) => Ok(Self(types)),
            None => {
                let all: Vec<&str> = EventType::all().into_iter().map(EventType::name).collect();
                Err(format!("may only contain these types: {}", all.join(", ")))
            }
        }
    }
}

impl From<EventTypes> for Vec<EventType> {
    fn from(types: EventTypes) -> Self {
        types.0.into_iter().collect()
    }
}

/// The body of a webhook request. It contains no name and no address: read the order for details.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEvent")]
pub struct Payload<'a> {
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The time of the event (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub timestamp: Timestamp,
    /// The order that the event is about.
    pub data: PayloadData<'a>,
}

/// The order that an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookEventData")]
pub struct PayloadData<'a> {
    /// The id of the order.
    pub order_id: OrderId,
    /// Your id of the customer.
    pub customer_id: &'a str,
    /// The total of the order.
    pub total: Money,
    /// The reason, for event types that have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason<'a>>,
    /// The products that could not be reserved, for `reservation.rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortages: Option<&'a [Shortage]>,
}

/// The reason for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "WebhookReason")]
#[serde(untagged)]
pub enum Reason<'a> {
    /// The reason for the cancellation, for `order.cancellation_requested` and `payment.voided`.
    Cancellation(VoidReason),
    /// The decline of the payment provider, for `payment.failed`.
    Decline(&'a DeclineReason),
}

impl<'a> Payload<'a> {
    /// Returns the payload of `event` for the partner whose id of the customer is `customer_id`, or `None` if
    /// partners cannot subscribe to such events.
    pub fn from_event(event: &'a Event, customer_id: &'a str) -> Option<Self> {
        let (kind, order) = EventType::classify(&event.fact)?;
        let reason = match &event.fact {
            Fact::CancellationRequested(it) => Some(Reason::Cancellation(it.reason)),
            Fact::PaymentVoided(it) => Some(Reason::Cancellation(it.reason)),
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

/// Returns the event without the name, email address and payment method, so that it can be stored. None of
/// these is sent to a partner.
///
/// # Errors
/// Never, unless the domain rejects the placeholders.
pub fn without_personal_data(event: &Event) -> anyhow::Result<Event> {
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
    fn types_are_serialized_as_their_names() {
        for kind in EventType::all() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            let parsed: EventTypes = serde_json::from_value(json!([kind.name()])).unwrap();
            assert!(parsed.contains(kind));
        }
    }
}
