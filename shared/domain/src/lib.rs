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
//! | [`claim`] | which worker may perform an effect that has no record of its own, such as sending an e-mail |
//! | [`product`] | the life cycle of an image that is uploaded for a product |
//! | [`event`] | the events on the bus and their envelope |

pub mod address;
pub mod claim;
pub mod event;
pub mod id;
pub mod lease;
pub mod money;
pub mod order;
pub mod payment;
pub mod person;
pub mod product;
pub mod reservation;
mod text;

pub use address::Address;
pub use event::{Cause, Event, EventPayload, Fact};
pub use id::{
    CorrelationId, CustomerId, DeliveryId, EventId, OrderId, PaymentIntentId, PaymentMethodId, ProductName,
    ProviderEventId, RefundId, Sku, UploadId,
};
pub use lease::{Attempt, Lease};
pub use money::{Money, TaxRate};
pub use order::{Line, Lines, OrderDetails};
pub use person::{Customer, EmailAddress, Language, PersonName, SYNTHETIC_CUSTOMER_ID};
pub use product::ProductFact;
