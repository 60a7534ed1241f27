//! The search service: full-text search of orders.
//!
//! | function | module |
//! |---|---|
//! | `index-order` | [`index_order`] |
//! | `search-orders` | [`api`] |
//!
//! The index is a port, [`store::OrderIndex`], so that a search engine can replace the implementation. The
//! deployed one is [`postings`], an inverted index in DynamoDB that costs nothing while idle
//! (`docs/decisions/0016-order-search.md`). [`document`], [`text`], [`segment`] and [`term`] define what an
//! order is found by, and [`forms`] what a query looks up, independently of the index. [`rebuild`] reconciles the index with the orders table.

pub mod adapters;
mod amount;
pub mod api;
mod contract;
pub mod document;
pub mod forms;
pub mod image;
pub mod index_order;
pub mod postings;
pub mod query;
pub mod rebuild;
pub mod request;
pub mod segment;
pub mod store;
pub mod term;
pub mod text;
mod view;
