//! The inventory service: products, stock and reservations.
//!
//! | function | module |
//! |---|---|
//! | `inventory-api` | [`api`] |
//! | `reserve-inventory` | [`reserve`] |
//! | `settle-reservation` | [`settle`] |
//! | `import-stock` | [`import`] |
//!
//! The API and `import-stock` own the data. The other two functions call the API ([`client`]) as any other
//! service would, so that another inventory service with the same routes can replace this one.

pub mod adapters;
pub mod api;
pub mod client;
pub mod command;
mod contract;
pub mod import;
pub mod product;
mod request;
pub mod reserve;
pub mod settle;
pub mod store;
mod view;
