//! The API contract, generated from the routes of the services: `docs/openapi.json`, the gateway's definition, and the
//! API reference.
//!
//! `cargo xtask contract` writes the files; a test fails if those in the repository differ.

mod document;
mod fields;
pub mod gateway;
mod gateway_responses;
mod markdown;
mod page;
mod problems;

mod services;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

pub use document::document;
pub use services::{Api, Service, services};

/// The files that are generated from the contract, by path in the repository.
///
/// # Errors
/// If two operations have the same id or route, or two schemas the same name.
pub fn files() -> Result<BTreeMap<PathBuf, String>> {
    let services = services();
    let document = document(&services)?;
    Ok(BTreeMap::from([
        ("docs/openapi.json".into(), format!("{document:#}\n")),
        ("docs/API.md".into(), markdown::page(&document)?),
        ("docs/reference.html".into(), page::page(&document)?),
    ]))
}
