//! The inventory service: what is sold, how much of it there is, and for whom it is set aside.
//!
//! | function | module |
//! |---|---|
//! | `inventory-api` | [`api`] |
//! | `reserve-inventory` | [`reserve`] |
//! | `settle-reservation` | [`settle`] |
//! | `import-stock` | [`import`] |
//!
//! The API and `import-stock` own the data. The two other functions call the API ([`client`]), as any other service
//! would: another inventory service with the same routes can take its place.

pub mod adapters;
pub mod api;
pub mod client;
pub mod import;
pub mod product;
mod request;
pub mod reserve;
pub mod settle;
pub mod store;
