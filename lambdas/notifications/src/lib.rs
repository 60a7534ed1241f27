//! The notification service: tells customers what became of their order, by e-mail.
//!
//! | function | module |
//! |---|---|
//! | `send-email` | [`send`] |
//!
//! One mail per order and kind, as far as SES allows: see [`platform::idempotency`] for what that means.

pub mod adapters;
pub mod mail;
pub mod send;
pub mod store;
