//! The notification service: informs customers of the outcome of their orders by email.
//!
//! | function | module |
//! |---|---|
//! | `send-email` | [`send`] |
//!
//! It sends one email per order and kind, as far as SES allows: see the guarantees of
//! [`platform::idempotency`].

pub mod adapters;
pub mod mail;
pub mod send;
pub mod store;
