//! The partner service: notifies partners of events about their customers' orders.
//!
//! | function | module |
//! |---|---|
//! | `webhooks-api` | [`api`] |
//! | `deliver-webhook` | [`deliver`] |
//!
//! A partner subscribes with a URL ([`webhook`]). Each event about an order of its customers is signed
//! ([`signature`]) and sent to the URL until the receiver accepts it or the attempts are exhausted
//! ([`delivery`]): at least once, and every time with the same `webhook-id`.

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
