//! The contract of the API, made from the routes of the services: `docs/openapi.json`, what the gateway checks
//! (`Models` in `template.yaml`), and the reference that people read.
//!
//! `cargo xtask contract` writes all of it; a test fails where what is in the repository differs.

mod document;
mod fields;
mod markdown;
mod model;
mod page;
mod problems;
mod refusals;
mod services;
pub mod template;
mod yaml;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use architecture::workspace::root;

pub use document::document;
pub use model::model;
pub use services::{Service, services};

/// What is made from the contract, by its path in the repository.
///
/// # Errors
/// When two types have one name, or `template.yaml` has no place for the models.
pub fn files() -> Result<BTreeMap<PathBuf, String>> {
    let services = services();
    let document = document(&services)?;
    let template = std::fs::read_to_string(root().join("template.yaml")).context("reading template.yaml")?;
    Ok(BTreeMap::from([
        ("docs/openapi.json".into(), format!("{document:#}\n")),
        ("docs/API.md".into(), markdown::page(&document)?),
        ("docs/reference.html".into(), page::page(&document)?),
        ("template.yaml".into(), yaml::write_into(&template, &services, &document)?),
    ]))
}
