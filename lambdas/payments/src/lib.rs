//! The payment service: charges each order at most once, or makes sure that it is never charged.
//!
//! | function | module |
//! |---|---|
//! | `process-payment` | [`arbiter::ProcessPayment`] |
//! | `void-payment` | [`arbiter::VoidPayment`] |
//! | `stripe-webhook` | [`webhook`] |
//!
//! The first two run the same [`arbiter::Arbiter`], which makes the calls of a [`finalization::Finalization`] until
//! [`domain::payment::decide`] is satisfied.

pub mod adapters;
pub mod arbiter;
pub mod finalization;
pub mod provider;
pub mod store;
pub mod webhook;
