//! The published language of the shop and its rules.
//!
//! Everything here is pure and total: no I/O, no clock, no randomness, no async, no AWS. Time, ids and
//! what a store or a provider answered come in as arguments; what to do next goes out as a value. The
//! functions that AWS Lambda runs, the tests and the tools all call these same rules.
//!
//! | module | decides |
//! |---|---|
//! | [`order`] | what an order is, and how it follows the events, in whatever order they come |
//! | [`reservation`] | how stock is held, committed and released, once per order |
//! | [`payment`] | the arbiter: whether an order is charged or never will be |
//! | [`claim`] | who may carry out an effect that has no record of its own, such as an e-mail |
//! | [`product`] | what becomes of a picture that is uploaded for a product |
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
pub use event::{Cause, Event, Fact, EventPayload};
pub use id::{
    CorrelationId, CustomerId, DeliveryId, EventId, OrderId, PaymentIntentId, PaymentMethodId, ProductName,
    ProviderEventId, RefundId, Sku, UploadId,
};
pub use lease::{Attempt, Lease};
pub use money::{Money, TaxRate};
pub use order::{Line, Lines, OrderDetails};
pub use person::{Customer, EmailAddress, Language, PersonName, SYNTHETIC_CUSTOMER_ID};
pub use product::ProductFact;
