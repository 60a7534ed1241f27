//! The contracts of the ports, checked for the in-memory implementations, which the simulation uses, and for
//! the real adapters on the local stack. So the simulation cannot drift from DynamoDB, Stripe and the queues.
//!
//! | Module | Port |
//! |---|---|
//! | [`orders`] | `orders::store::{Orders, Outbox}` |
//! | [`products`], [`reservations`] | `inventory::store::{Products, Reservations}` |
//! | [`invoices`] | `invoices::store::Invoices` |
//! | [`payments`] | `payments::store::Payments` |
//! | [`provider`] | `payments::provider::Provider` |
//! | [`search_index`] | `search::store::OrderIndex` |
//! | [`bus`] | `platform::Publisher` |
//! | [`queue`] | `platform`'s `Visibility` and `DeadLetters` |
//! | [`objects`] | `platform::objects::ObjectStore` |
//! | [`differential`] | the stores and the provider: random calls to two implementations return the same results |
//!
//! Each module has a `World`, which contains what its contracts need, and a function `violations`, which
//! checks every contract in a new world. `cargo test --workspace --test contracts` checks the in-memory
//! implementations, and shows that wrong implementations violate the contracts; `cargo xtask test end-to-end`
//! checks the real adapters.

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

/// The violated contracts, by name, with their errors.
pub type Violations = BTreeMap<&'static str, String>;
