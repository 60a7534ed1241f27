//! What every port promises, written once and checked twice: on the ports in memory, which the simulation runs on,
//! and on the real adapters over the local stack. So the simulation cannot drift from DynamoDB, Stripe and the queues.
//!
//! | module | port |
//! |---|---|
//! | [`orders`] | `orders::store::{Orders, Outbox}` |
//! | [`products`], [`reservations`] | `inventory::store::{Products, Reservations}` |
//! | [`invoices`] | `documents::invoice::store::Invoices` |
//! | [`payments`] | `payments::store::Payments` |
//! | [`provider`] | `payments::provider::Provider` |
//! | [`search_index`] | `search::store::OrderIndex` |
//! | [`bus`] | `platform::Publisher` |
//! | [`queue`] | `platform`'s `Visibility` and `DeadLetters` |
//! | [`objects`] | `platform::objects::ObjectStore` |
//! | [`differential`] | the stores and the provider again: random calls, to two of them, get the same answers |
//!
//! Each module has a world, which is what a contract needs of its surroundings, and `broken`, which checks every
//! contract in a world of its own. `cargo test --workspace --test contracts` runs them in memory and shows that
//! wrong ports break them; `cargo xtask test end-to-end` runs them on the real adapters.

mod check;
mod sample;

pub mod bus;
pub mod differential;
pub mod inventory_world;
pub mod invoices;
pub mod objects;
pub mod orders;
pub mod payments;
pub mod products;
pub mod provider;
pub mod queue;
pub mod reservations;
pub mod search_index;

use std::collections::BTreeMap;

/// The contracts that do not hold, by name, with what is wrong. Empty when all is well.
pub type Broken = BTreeMap<&'static str, String>;
