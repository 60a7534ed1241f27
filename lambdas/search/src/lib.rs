//! The search service: finds orders.
//!
//! | function | module |
//! |---|---|
//! | `index-order` | [`index_order`] |
//! | `search-orders` | [`api`] |
//!
//! The index is a port, [`store::OrderIndex`], so that a search engine can take its place. The one that is deployed is
//! [`postings`]: an inverted index in DynamoDB that costs nothing while nobody orders or searches
//! (`docs/decisions/0016-order-search.md`). What an order is found by is decided in [`document`], [`text`] and
//! [`term`], for every index alike. [`rebuild`] goes over the orders table when the index and it have to be brought
//! together again.

pub mod adapters;
pub mod api;
pub mod document;
pub mod image;
pub mod index_order;
pub mod postings;
pub mod query;
pub mod rebuild;
pub mod request;
pub mod store;
pub mod term;
pub mod text;
