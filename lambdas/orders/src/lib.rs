//! The order service: takes orders, tells what became of them, and gives up those that take too long.
//!
//! | function | module |
//! |---|---|
//! | `orders-api` | [`api`] |
//! | `relay-outbox` | [`relay`] |
//! | `track-order` | [`track`] |
//! | `expire-orders` | [`expire`] |
//!
//! An order and the event that tells of it are written in one transaction ([`store`]); the event stands in the
//! outbox until it is on the bus.

pub mod adapters;
pub mod api;
pub mod expire;
pub mod relay;
mod request;
pub mod store;
pub mod track;
