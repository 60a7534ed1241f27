//! The contracts of the ports, checked for the in-memory implementations, which the simulation uses, and for
//! the real adapters on the local stack. So the simulation cannot drift from DynamoDB, Stripe and the queues.
//!
//! | Module | Port |
//! |---|---|
//! | [`orders`] | `orders::store::{Orders, Outbox}` |
//! | [`products`], [`reservations`] | `inventory::store::{Products, Reservations}` |
//! | [`imports`] | `inventory::import::store::Imports` |
//! | [`import_stock`] | `inventory::import::store::Stock` |
//! | [`payments`] | `payments::store::Payments` |
//! | [`provider`] | `payments::provider::Provider` |
//! | [`invoices`] | `invoices::store::Invoices` |
//! | [`ledger`] | `sales::ledger::store::{Ledger, LedgerTable}` |
//! | [`exports`] | `sales::export::store::Exports` |
//! | [`subscriptions`], [`deliveries`] | `partners::store::{Partners, Deliveries}` |
//! | [`images`], [`quarantine`] | `media::store::{Images, Quarantine}` |
//! | [`search_index`], [`search_rows`] | `search::store::OrderIndex` and `search::postings::store::Rows` |
//! | [`profiles`] | `accounts::store::Profiles` |
//! | [`reports`] | `operations::store::Reports` |
//! | [`idempotency`] | `platform::idempotency::IdempotencyStore` |
//! | [`bus`] | `platform::Publisher` |
//! | [`queue`] | `platform`'s `Visibility` and `DeadLetters` |
//! | [`objects`] | `platform::objects::ObjectStore` |
//! | [`differential`] | the stores and the provider: random calls to two implementations return the same results |
//! | [`conditions`] | the conditions of the real adapters, each of which a contract needs |
//!
//! Each module of a port has a `World`, which contains what its contracts need, and a function `violations`, which
//! checks every contract in a new world. [`for_each_port`] lists them. `cargo test --workspace --test contracts` checks
//! the in-memory implementations, and shows that wrong implementations violate the contracts; `cargo xtask test
//! end-to-end` checks the real adapters; `cargo xtask mutants conditions` drops each condition of their requests, and
//! requires that a contract notices.

mod check;
mod ports;
mod sample;

pub mod bus;
pub mod conditions;
pub mod deliveries;
pub mod differential;
pub mod exports;
pub mod idempotency;
pub mod images;
pub mod import_stock;
pub mod imports;
pub mod inventory_world;
pub mod invoices;
pub mod ledger;
pub mod objects;
pub mod orders;
pub mod payments;
pub mod products;
pub mod profiles;
pub mod provider;
pub mod quarantine;
pub mod queue;
pub mod reports;
pub mod reservations;
pub mod search_index;
pub mod search_rows;
pub mod subscriptions;

use std::collections::BTreeMap;

pub use ports::{PORTS, Port};

/// The violated contracts, by name, with their errors.
pub type Violations = BTreeMap<&'static str, String>;
