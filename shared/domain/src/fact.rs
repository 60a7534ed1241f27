//! The facts that events report, and what each of them tells.

use std::fmt::{Debug, Display};
use std::hash::Hash;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::details::OrderDetails;
use crate::id::{OrderId, PaymentIntentId, ProviderEventId, RefundId};
use crate::money::Money;
use crate::reason::{DeclineReason, Shortage, VoidReason};

/// The payload of an event: a fact about an order ([`Fact`]) or a product ([`crate::product::ProductFact`]).
pub trait EventPayload:
    Debug + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// The id of the subject of a fact.
    type Subject: Debug + Display + Clone + Eq + Hash + Serialize + DeserializeOwned + Send + Sync;

    /// Returns the event type, as on the bus.
    fn name(&self) -> &'static str;

    /// Returns the service that owns and publishes the fact.
    fn source(&self) -> &'static str;

    /// Returns the major version of the schema. Every breaking change increments it.
    fn schema_version(&self) -> u32;

    /// Returns what distinguishes this fact from all others about the same subject.
    fn identity(&self) -> String;
}

/// Defines the facts about one kind of subject, and their kinds, each with its event type and the service that
/// publishes it. An event type is written here only: the JSON of the facts, their schema and the rest of the code
/// derive it.
macro_rules! facts {
    ($(#[$meta:meta])* enum $facts:ident, $kinds:ident {
        $($(#[$about:meta])* $fact:ident($payload:ident) = $name:literal from $source:literal,)+
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "type", content = "data")]
        pub enum $facts {
            $($(#[$about])* #[serde(rename = $name)] $fact($payload),)+
        }

        #[doc = concat!("The kind of a [`", stringify!($facts), "`].")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        pub enum $kinds {
            $(#[doc = concat!("`", $name, "`")] #[serde(rename = $name)] $fact,)+
        }

        impl $kinds {
            /// All kinds, in the order of their definition.
            pub const ALL: &[Self] = &[$(Self::$fact),+];

            /// Returns the event type, as on the bus.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$fact => $name,)+
                }
            }

            /// Returns the service that owns and publishes facts of this kind.
            pub const fn source(self) -> &'static str {
                match self {
                    $(Self::$fact => $source,)+
                }
            }
        }

        impl $facts {
            /// Returns the kind of the fact.
            pub fn kind(&self) -> $kinds {
                match self {
                    $(Self::$fact(_) => $kinds::$fact,)+
                }
            }

            /// Returns the event type, as on the bus.
            pub fn name(&self) -> &'static str {
                self.kind().name()
            }
        }
    };
}
pub(crate) use facts;

facts! {
    /// A fact about an order. The event types are those of the article
    /// "Integrating serverless functions with microservices".
    enum Fact, FactKind {
        /// An order was placed. Any order service may publish it; it contains everything that consumers need.
        OrderCreated(OrderCreated) = "order.created" from "orders",
        /// Cancellation of the order was requested. The payment service decides whether that is still possible.
        CancellationRequested(CancellationRequested) = "order.cancellation_requested" from "orders",
        /// The stock is reserved for the order.
        ReservationConfirmed(ReservationConfirmed) = "reservation.confirmed" from "inventory",
        /// The stock is unavailable or a price has changed, and nothing is reserved.
        ReservationRejected(ReservationRejected) = "reservation.rejected" from "inventory",
        /// The reserved stock is sold.
        ReservationCommitted(ReservationSettled) = "reservation.committed" from "inventory",
        /// The reserved stock is available again, or will never be reserved.
        ReservationReleased(ReservationSettled) = "reservation.released" from "inventory",
        /// The order is paid: the customer was charged, or the total is 0 and there was nothing to charge.
        PaymentSucceeded(PaymentSucceeded) = "payment.succeeded" from "payments",
        /// The payment was declined. The customer was not charged and will not be.
        PaymentFailed(PaymentFailed) = "payment.failed" from "payments",
        /// The payment was voided. The customer was not charged and never will be.
        PaymentVoided(PaymentVoided) = "payment.voided" from "payments",
        /// The payment provider reported, by webhook, that the status of the PaymentIntent changed. It prompts a
        /// retrieval of the PaymentIntent and is not an outcome, unlike `payment.succeeded`, `payment.failed` and
        /// `payment.voided`.
        PaymentReported(PaymentReported) = "payment.reported" from "payments",
        /// A refund was made, of the whole amount or a part of it. An order can have any number of refunds.
        PaymentRefunded(PaymentRefunded) = "payment.refunded" from "payments",
    }
}

/// `order.created`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct OrderCreated {
    /// The details of the order.
    pub order: OrderDetails,
}

/// `order.cancellation_requested`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct CancellationRequested {
    /// The details of the order.
    pub order: OrderDetails,
    /// The reason for the cancellation.
    pub reason: VoidReason,
}

/// `reservation.confirmed`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationConfirmed {
    /// The details of the order.
    pub order: OrderDetails,
}

/// `reservation.rejected`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationRejected {
    /// The details of the order.
    pub order: OrderDetails,
    /// The lines that could not be reserved, with the reasons. At least one.
    pub shortages: Vec<Shortage>,
}

/// `reservation.committed` and `reservation.released`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ReservationSettled {}

/// `payment.succeeded`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentSucceeded {
    /// The details of the order.
    pub order: OrderDetails,
    /// The provider's id of the PaymentIntent. Absent if the amount is 0: such an order is not charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<PaymentIntentId>,
    /// The amount that was charged: the total of the order.
    pub amount: Money,
}

/// `payment.failed`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentFailed {
    /// The details of the order.
    pub order: OrderDetails,
    /// The reason for the decline.
    pub reason: DeclineReason,
}

/// `payment.voided`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentVoided {
    /// The details of the order.
    pub order: OrderDetails,
    /// The reason for voiding the payment.
    pub reason: VoidReason,
}

/// `payment.reported`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentReported {
    /// The provider's id of the PaymentIntent.
    pub payment_intent: PaymentIntentId,
    /// The provider's id of the webhook event, which it resends until it is acknowledged.
    pub report: ProviderEventId,
    /// The reported status. It is informational: reports can be delayed and out of order, so no decision
    /// depends on it.
    pub status: ReportedStatus,
}

/// `payment.refunded`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct PaymentRefunded {
    /// The details of the order.
    pub order: OrderDetails,
    /// The provider's id of the refund, which is the same however often the refund is reported.
    pub refund: RefundId,
    /// The refunded amount, in the currency of the order. The refunds of an order add up to at most the
    /// charge.
    pub amount: Money,
}

/// The status of a PaymentIntent, as the provider reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedStatus {
    /// The provider is processing it.
    Processing,
    /// The customer was charged.
    Succeeded,
    /// A charge was declined.
    Failed,
    /// It can no longer be charged.
    Cancelled,
}

impl EventPayload for Fact {
    type Subject = OrderId;

    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn source(&self) -> &'static str {
        self.kind().source()
    }

    fn schema_version(&self) -> u32 {
        1
    }

    /// Each fact occurs once per order, except cancellation requests, which can come from the customer and
    /// from the expiry, reports of the provider, and refunds.
    fn identity(&self) -> String {
        match self {
            Self::CancellationRequested(requested) => {
                format!("{}/{}", self.name(), requested.reason.as_ref())
            }
            Self::PaymentReported(reported) => format!("{}/{}", self.name(), reported.report),
            Self::PaymentRefunded(refunded) => format!("{}/{}", self.name(), refunded.refund),
            _ => self.name().to_owned(),
        }
    }
}
