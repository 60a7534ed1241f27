//! The contract of the API, made from the routes of the services: `docs/openapi.json`, the gateway's definition, and the
//! reference that people read.
//!
//! `cargo xtask contract` writes all of it; a test fails where what is in the repository differs.

mod document;
mod fields;
pub mod gateway;
mod markdown;
mod model;
mod page;
mod problems;
mod refusals;
mod services;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

pub use document::document;
pub use model::model;
pub use services::{Service, services};

/// What is made from the contract, by its path in the repository.
///
/// # Errors
/// When two types have one name.
pub fn files() -> Result<BTreeMap<PathBuf, String>> {
    let services = services();
    let document = document(&services)?;
    Ok(BTreeMap::from([
        ("docs/openapi.json".into(), format!("{document:#}\n")),
        ("docs/API.md".into(), markdown::page(&document)?),
        ("docs/reference.html".into(), page::page(&document)?),
    ]))
}
