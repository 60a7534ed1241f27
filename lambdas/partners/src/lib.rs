//! The partner service: tells partners of what becomes of their customers' orders.
//!
//! | function | module |
//! |---|---|
//! | `webhooks-api` | [`api`] |
//! | `deliver-webhook` | [`deliver`] |
//!
//! A partner subscribes with a URL ([`webhook`]). Each event about an order of theirs is sent to it, signed
//! ([`signature`]), until it is taken or given up ([`delivery`]): at least once, with the same `webhook-id` each time.

pub mod adapters;
pub mod api;
mod contract;
pub mod deliver;
pub mod delivery;
pub mod endpoint;
pub mod event;
pub mod owner;
mod request;
pub mod signature;
pub mod store;
mod view;
pub mod webhook;
