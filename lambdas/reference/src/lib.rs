//! The reference service: the API reference, as an OpenAPI document and as a page.
//!
//! | function | module |
//! |---|---|
//! | `serve-reference` | [`api`] |
//!
//! Both are files of this repository, which `cargo xtask contract` writes and the binary contains.

pub mod api;
mod contract;
