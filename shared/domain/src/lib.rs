//! The published language of the shop and its business rules.
//!
//! Everything here is pure and total: no I/O, no clock, no randomness, no async, no AWS. The time, ids and
//! the responses of stores and providers are passed in as arguments; the next action is returned as a value.
//! The Lambda functions, the tests and the command-line tools all call these same rules.
//!
//! | module | contents |
//! |---|---|
//! | [`order`] | the order, and how events are applied to it, in any sequence |
//! | [`reservation`] | how stock is reserved, committed and released, once per order |
//! | [`payment`] | the arbiter: whether an order is charged or never will be |
//! | [`charge`] | which amounts the payment provider charges |
//! | [`claim`] | which worker may perform an effect that has no record of its own, such as sending an e-mail |
//! | [`product`] | the life cycle of an image that is uploaded for a product |
//! | [`fact`] | what the events on the bus report |
//! | [`money`] | amounts, currencies and tax rates |
//!
//! The rules return [`Event`]s. An event is an envelope for a fact, and a fact consists of the details of the
//! order and the reasons for its outcome.

mod address;
pub mod charge;
pub mod claim;
mod customer;
mod details;
mod event;
pub mod fact;
mod id;
mod lease;
pub mod money;
pub mod order;
pub mod payment;
mod person;
pub mod product;
mod readable;
mod reason;
pub mod reservation;
mod source;
mod text;

pub use address::{Address, AddressLine, CountryCode, PostalCode};
pub use customer::{Customer, SYNTHETIC_CUSTOMER_ID};
pub use details::{InvalidLines, Line, Lines, MAX_LINES, MAX_QUANTITY, OrderDetails, Quantity};
pub use event::{Cause, Event};
pub use fact::{EventPayload, Fact, FactKind};
pub use id::{
    CorrelationId, CustomerId, DeliveryId, EventId, OrderId, PaymentIntentId, PaymentMethodId, ProductName,
    ProviderEventId, RefundId, Sku, UploadId,
};
pub use lease::{Attempt, Lease};
pub use money::{Money, TaxRate};
pub use person::{EmailAddress, Language, PersonName};
pub use product::{ProductFact, ProductFactKind};
pub use readable::{OPTIONAL_TEXT_PATTERN, check_readable};
pub use reason::{DeclineReason, Shortage, ShortageKind, VoidReason};
pub use source::source_of;
pub use text::InvalidText;
