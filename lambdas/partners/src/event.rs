//! The events that partners can subscribe to, what is stored of them, and their payload.

use std::collections::BTreeSet;

use domain::{
    CorrelationId, CustomerId, DeclineReason, Event, EventId, Fact, FactKind, Money, OrderDetails, OrderId,
    Shortage, VoidReason,
};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
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

/// Parses a name.
impl TryFrom<String> for EventType {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let known = Self::all().into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| format!("{name:?} is not an event for partners"))
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
        let types: Result<BTreeSet<EventType>, _> = names.iter().cloned().map(EventType::try_from).collect();
        match types {
            Ok(types) if types.is_empty() => {
                Err("must name at least one type; omit the field for all types".into())
            }
            Ok(types) if types.len() < names.len() => Err("must name each type once".into()),
            Ok(types) => Ok(Self(types)),
            Err(_) => {
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

/// What a delivery needs to know of an event. It is stored with the delivery, and contains no data about the
/// customer but their id.
///
/// The fields that identify an event have the names of CloudEvents, like in the events of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerEvent {
    /// The id of the event on the bus.
    pub id: EventId,
    /// The type of the event.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The order that the event is about.
    #[serde(rename = "subject")]
    pub order_id: OrderId,
    /// The time at which the fact became true.
    pub time: Timestamp,
    /// The correlation id of the request that started the chain of events.
    #[serde(rename = "correlationid")]
    pub correlation_id: CorrelationId,
    /// The customer of the order, whose id contains that of the partner ([`crate::owner`]).
    pub customer_id: CustomerId,
    /// The total of the order.
    pub total: Money,
    /// The reason, for event types that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The products that could not be reserved; empty unless the type is `reservation.rejected`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shortages: Vec<Shortage>,
}

impl PartnerEvent {
    /// Returns what a delivery needs of `event`, or `None` if partners cannot subscribe to such events.
    pub fn from_event(event: &Event) -> Option<Self> {
        let (kind, order) = EventType::classify(&event.fact)?;
        let reason = match &event.fact {
            Fact::CancellationRequested(it) => Some(Reason::Cancellation(it.reason)),
            Fact::PaymentVoided(it) => Some(Reason::Cancellation(it.reason)),
            Fact::PaymentFailed(it) => Some(Reason::Decline(it.reason.clone())),
            _ => None,
        };
        let shortages = match &event.fact {
            Fact::ReservationRejected(it) => it.shortages.clone(),
            _ => Vec::new(),
        };
        Some(Self {
            id: event.id,
            kind,
            order_id: event.subject,
            time: event.time,
            correlation_id: event.cause.correlation_id.clone(),
            customer_id: order.customer.id.clone(),
            total: order.total,
            reason,
            shortages,
        })
    }

    /// Parses an event of the bus, from which the rest is removed, or the JSON of a `PartnerEvent`.
    ///
    /// # Errors
    /// When `json` is neither, or partners cannot subscribe to such events.
    pub fn from_json(json: Value) -> Result<Self, serde_json::Error> {
        if json.get("specversion").is_none() {
            return serde_json::from_value(json);
        }
        let event: Event = serde_json::from_value(json)?;
        Self::from_event(&event).ok_or_else(|| {
            serde_json::Error::custom(format_args!("{} is not an event for partners", event.fact.name()))
        })
    }

    /// Deserializes what [`from_json`](Self::from_json) parses: older deliveries were stored with the event of
    /// the bus.
    pub(crate) fn deserialize_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The reason for an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WebhookReason")]
#[serde(untagged)]
pub enum Reason {
    /// The reason for the cancellation, for `order.cancellation_requested` and `payment.voided`.
    Cancellation(VoidReason),
    /// The decline of the payment provider, for `payment.failed`.
    Decline(DeclineReason),
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
    pub reason: Option<&'a Reason>,
    /// The products that could not be reserved, for `reservation.rejected`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortages: Option<&'a [Shortage]>,
}

impl<'a> Payload<'a> {
    /// Returns the payload of `event` for the partner whose id of the customer is `customer_id`.
    pub fn new(event: &'a PartnerEvent, customer_id: &'a str) -> Self {
        let data = PayloadData {
            order_id: event.order_id,
            customer_id,
            total: event.total,
            reason: event.reason.as_ref(),
            shortages: Some(event.shortages.as_slice()).filter(|shortages| !shortages.is_empty()),
        };
        Self { kind: event.kind, timestamp: event.time, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_serialized_as_their_names() {
        for kind in EventType::all() {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(serde_json::from_value::<EventType>(json!(kind.name())).unwrap(), kind);
            let parsed: EventTypes = serde_json::from_value(json!([kind.name()])).unwrap();
            assert!(parsed.contains(kind));
        }
    }
}
