//! The order service: accepts orders, tracks their state, and expires those that are not completed in time.
//!
//! | function | module |
//! |---|---|
//! | `orders-api` | [`api`] |
//! | `relay-outbox` | [`relay`] |
//! | `track-order` | [`track`] |
//! | `expire-orders` | [`expire`] |
//!
//! An order and its event are written in one transaction ([`store`]). The event stays in the outbox until it
//! has been published.

pub mod adapters;
pub mod api;
mod contract;
pub mod expire;
pub mod quota;
mod recipient;
pub mod relay;
mod request;
pub mod store;
pub mod track;
mod view;
