//! What things are called.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text::{InvalidText, check, printable, text_type};

/// Ids derived with UUID version 5 (RFC 9562) live under this namespace. Changing it changes every event id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3a52_9c1e_5b7a_8e44_20f3_7a51_c0de);

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
const TOKEN_WORDS: &str = "letters, digits and - _ .";

/// An order. A UUID version 7 when this shop's own order service made it, so that ids sort by time;
/// any UUID when another order service did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("pattern" = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"))]
pub struct OrderId(Uuid);

impl From<Uuid> for OrderId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for OrderId {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The hyphenated form alone: one order has one spelling, in keys, in paths and in logs.
        if text.len() != 36 {
            return Err(InvalidText("must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057".into()));
        }
        Uuid::from_str(text).map(Self).map_err(|error| InvalidText(format!("must be a UUID: {error}")))
    }
}

/// A picture that somebody asked to upload. A UUID version 7, so that ids sort by the time of asking.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct UploadId(Uuid);

impl From<Uuid> for UploadId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for UploadId {
    type Err = InvalidText;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::from_str(text).map_err(|error| InvalidText(format!("must be a UUID: {error}")))?;
        // One upload has one spelling, in keys and in the names of files.
        if id.to_string() != text {
            return Err(InvalidText("must be a UUID in lower case, with hyphens".into()));
        }
        Ok(Self(id))
    }
}

/// An event. The same fact about the same order or product has the same id, whoever publishes it and however often: a
/// consumer may drop what it has seen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// The id of the fact `name` about `subject`. `name` is the event's type, with what tells it from another
    /// of that type about the same thing behind it.
    pub fn derive(subject: &impl fmt::Display, name: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{subject}/{name}").as_bytes()))
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

macro_rules! uuid_printable {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
uuid_printable!(OrderId, EventId, UploadId);

text_type! {
    /// Ties together all that one request set off, over every service and retry. 1 to 128 printable ASCII
    /// characters, so that it is safe in a header, in a log and as a message attribute.
    CorrelationId,
    most: 128,
    pattern: r"^[!-~]+$",
    check: |text| check(text, 128, |c| c.is_ascii_graphic(), "printable ASCII characters without spaces")
}
text_type! {
    /// A customer, as whoever runs the shop names them. 1 to 64 characters.
    CustomerId,
    most: 64,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 64, is_token, TOKEN_WORDS)
}
text_type! {
    /// A stock keeping unit: what is sold and counted. 1 to 40 characters.
    Sku,
    most: 40,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 40, is_token, TOKEN_WORDS)
}
text_type! {
    /// A way to pay, as the payment provider names it (`pm_…` at Stripe). It stands for the card without
    /// being it. 1 to 255 characters.
    PaymentMethodId,
    most: 255,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 255, is_token, TOKEN_WORDS)
}
text_type! {
    /// An intended payment, as the payment provider names it (`pi_…` at Stripe). 1 to 255 characters.
    PaymentIntentId,
    most: 255,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 255, is_token, TOKEN_WORDS)
}
text_type! {
    /// A report of the payment provider, as it names it (`evt_…` at Stripe). 1 to 255 characters.
    ProviderEventId,
    most: 255,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 255, is_token, TOKEN_WORDS)
}
text_type! {
    /// A refund, as the payment provider names it (`re_…` at Stripe). 1 to 255 characters.
    RefundId,
    most: 255,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 255, is_token, TOKEN_WORDS)
}
text_type! {
    /// A delivery of goods to the warehouse: the same id adds its quantity once. 1 to 64 characters.
    DeliveryId,
    most: 64,
    pattern: r"^[A-Za-z0-9._-]+$",
    check: |text| check(text, 64, is_token, TOKEN_WORDS)
}
text_type! {
    /// What a product is called. 1 to 200 characters, none of them a control character.
    ProductName,
    most: 200,
    pattern: r"^[^\u0000-\u001f\u007f-\u009f]+$",
    check: |text| check(text, 200, |c| !c.is_control(), "characters that can be printed")
}
printable!(
    ProductName,
    CorrelationId,
    CustomerId,
    Sku,
    PaymentMethodId,
    PaymentIntentId,
    ProviderEventId,
    RefundId,
    DeliveryId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_depends_on_order_and_name_alone() {
        let (a, b) = (OrderId::from(Uuid::from_u128(1)), OrderId::from(Uuid::from_u128(2)));
        assert_eq!(EventId::derive(&a, "order.created"), EventId::derive(&a, "order.created"));
        assert_ne!(EventId::derive(&a, "order.created"), EventId::derive(&b, "order.created"));
        assert_ne!(EventId::derive(&a, "order.created"), EventId::derive(&a, "payment.succeeded"));
    }

    #[test]
    fn ids_refuse_what_would_break_a_key_or_a_path() {
        assert!("TEA-001".parse::<Sku>().is_ok());
        for bad in ["", "a b", "a/b", "ü", &"x".repeat(41)] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?}");
        }
        assert!("01890A5D-AC96-774B-BCCE-B302099A8057".parse::<OrderId>().is_ok());
        assert!("{01890a5d-ac96-774b-bcce-b302099a8057}".parse::<OrderId>().is_err());
    }
}
