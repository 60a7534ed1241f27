//! Identifiers: UUIDs of our own, and texts that others assign.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::readable::{READABLE_PATTERN, check_readable, read_stored};
use crate::text::{InvalidText, check, printable, text_type};

/// The namespace of the event ids, which are UUIDs of version 5 (RFC 9562). Changing it changes every event
/// id.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3a52_9c1e_5b7a_8e44_20f3_7a51_c0de);

fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
const TOKEN_PATTERN: &str = "^[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*$";

/// Checks an id that appears in paths, where `.` and `..` are removed (RFC 3986 §5.2.4).
fn check_token(text: &str, max_length: usize) -> Result<&str, InvalidText> {
    check(text, max_length, is_token, "letters, digits and - _ .")?;
    if text.contains(|c| c != '.') {
        Ok(text)
    } else {
        Err(InvalidText("must have a letter, a digit, - or _, because paths cannot contain . and ..".into()))
    }
}

/// Reads an id that may consist of dots, from before these were refused.
fn read_token(text: String, max_length: usize) -> Result<String, InvalidText> {
    check(&text, max_length, is_token, "letters, digits and - _ .")?;
    Ok(text)
}

/// The id of an order. The order service of this shop creates UUIDs of version 7, so that ids sort by time;
/// other order services may use any UUID.
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
        // Only the hyphenated form is accepted, so that an order id looks the same in keys, paths and logs.
        if text.len() != 36 {
            return Err(InvalidText("must be a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057".into()));
        }
        Uuid::from_str(text).map(Self).map_err(|error| InvalidText(format!("must be a UUID: {error}")))
    }
}

/// The id of an image upload: a UUID of version 7, so that ids sort by the time of the request.
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
        // Only the canonical form is accepted, so that an upload id looks the same in keys and file names.
        if id.to_string() != text {
            return Err(InvalidText("must be a UUID in lower case, with hyphens".into()));
        }
        Ok(Self(id))
    }
}

/// The id of an event. It is derived from the fact and its subject, so every publication of the same fact has
/// the same id, whichever service publishes it, and consumers can use it for deduplication.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct EventId(Uuid);

impl EventId {
    /// Derives the id of the fact `name` about `subject`. `name` is the event type, followed by whatever
    /// distinguishes the fact from others of that type about the same subject.
    pub fn derive(subject: &impl fmt::Display, name: &str) -> Self {
        Self(Uuid::new_v5(&NAMESPACE, format!("{subject}/{name}").as_bytes()))
    }
}

impl From<Uuid> for EventId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

macro_rules! impl_uuid_fmt {
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
impl_uuid_fmt!(OrderId, EventId, UploadId);

text_type! {
    /// A correlation id: it links everything that one request caused, across services and retries. 1 to 128
    /// printable ASCII characters, so that it is safe in a header, in a log and in a message attribute.
    CorrelationId,
    max_length: 128,
    pattern: r"^[!-~]+$",
    check: |text| check(text, 128, |c| c.is_ascii_graphic(), "printable ASCII characters without spaces")
}
text_type! {
    /// The id of a customer, assigned by the operator of the shop. 1 to 64 characters.
    CustomerId,
    max_length: 64,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 64),
    stored: |text| read_token(text, 64)
}
text_type! {
    /// A stock keeping unit (SKU), which identifies a product. 1 to 40 characters.
    Sku,
    max_length: 40,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 40),
    stored: |text| read_token(text, 40)
}
text_type! {
    /// The payment provider's id of a payment method (`pm_…` at Stripe). It represents a card without
    /// containing card data. 1 to 255 characters.
    PaymentMethodId,
    max_length: 255,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 255),
    stored: |text| read_token(text, 255)
}
text_type! {
    /// The payment provider's id of a PaymentIntent (`pi_…` at Stripe). 1 to 255 characters.
    PaymentIntentId,
    max_length: 255,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 255),
    stored: |text| read_token(text, 255)
}
text_type! {
    /// The payment provider's id of a webhook event (`evt_…` at Stripe). 1 to 255 characters.
    ProviderEventId,
    max_length: 255,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 255),
    stored: |text| read_token(text, 255)
}
text_type! {
    /// The payment provider's id of a refund (`re_…` at Stripe). 1 to 255 characters.
    RefundId,
    max_length: 255,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 255),
    stored: |text| read_token(text, 255)
}
text_type! {
    /// The id of a stock delivery, which makes recording it idempotent: its quantity is added once. 1 to 64
    /// characters.
    DeliveryId,
    max_length: 64,
    pattern: TOKEN_PATTERN,
    check: |text| check_token(text, 64),
    stored: |text| read_token(text, 64)
}
text_type! {
    /// The name of a product. 1 to 200 characters, with a visible one and without control and invisible ones.
    ProductName,
    max_length: 200,
    pattern: READABLE_PATTERN,
    check: |text| check_readable(text, 200),
    stored: |text| read_stored(text, 200)
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
    fn an_event_id_depends_only_on_the_subject_and_the_name() {
        let (a, b) = (OrderId::from(Uuid::from_u128(1)), OrderId::from(Uuid::from_u128(2)));
        assert_eq!(EventId::derive(&a, "order.created"), EventId::derive(&a, "order.created"));
        assert_ne!(EventId::derive(&a, "order.created"), EventId::derive(&b, "order.created"));
        assert_ne!(EventId::derive(&a, "order.created"), EventId::derive(&a, "payment.succeeded"));
    }

    #[test]
    fn characters_that_are_unsafe_in_keys_and_paths_are_rejected() {
        assert!("TEA-001".parse::<Sku>().is_ok());
        for bad in ["", "a b", "a/b", "ü", ".", "..", "...", &"x".repeat(41)] {
            assert!(bad.parse::<Sku>().is_err(), "{bad:?}");
        }
        for good in [".a", "a.", "-", "_", "1..2", &"x".repeat(40)] {
            assert!(good.parse::<Sku>().is_ok(), "{good:?}");
        }
        assert!("01890A5D-AC96-774B-BCCE-B302099A8057".parse::<OrderId>().is_ok());
        assert!("{01890a5d-ac96-774b-bcce-b302099a8057}".parse::<OrderId>().is_err());
    }

    #[test]
    fn an_upload_id_is_written_in_one_way() {
        let canonical = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(canonical.parse::<UploadId>().unwrap().to_string(), canonical);
        for other in [canonical.to_uppercase(), canonical.replace('-', ""), format!("{{{canonical}}}")] {
            assert!(other.parse::<UploadId>().is_err(), "{other}");
        }
    }

    #[test]
    fn no_id_in_a_path_consists_of_dots_and_those_that_are_stored_stay_readable() {
        fn check<T: FromStr + serde::de::DeserializeOwned>() {
            for dots in [".", ".."] {
                assert!(dots.parse::<T>().is_err(), "{} {dots}", std::any::type_name::<T>());
                assert!(serde_json::from_value::<T>(dots.into()).is_ok(), "{}", std::any::type_name::<T>());
            }
        }
        check::<Sku>();
        check::<CustomerId>();
        check::<DeliveryId>();
        check::<PaymentMethodId>();
        check::<PaymentIntentId>();
        check::<ProviderEventId>();
        check::<RefundId>();
    }
}
