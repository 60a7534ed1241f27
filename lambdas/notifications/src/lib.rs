//! The notification service: informs customers of the outcome of their orders by email.
//!
//! | function | module |
//! |---|---|
//! | `send-email` | [`send`] |
//!
//! It sends one email per order and kind, as far as SES allows: see the guarantees of
//! [`platform::idempotency`]. An email is in the customer's language if the shop has it, and names the products
//! as the inventory does at that time.

pub mod adapters;
mod bidi;
mod decline;
mod email;
pub mod mail;
pub mod names;
mod phrase;
pub mod send;
pub mod store;
