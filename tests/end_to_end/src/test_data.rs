//! The marks by which whoever cleans up afterwards finds what the tests made.

use std::sync::LazyLock;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::requirements::append;

/// The id of this run: eight characters.
static RUN: LazyLock<String> = LazyLock::new(|| {
    std::env::var("E2E_RUN").unwrap_or_else(|_| Uuid::new_v4().simple().to_string()[..8].to_owned())
});

/// What the names of all products, files and messages of this run begin with: `TEST-<run>-`. A row or an object that
/// holds it is test data.
pub fn run_prefix() -> String {
    format!("TEST-{}-", *RUN)
}

/// A name that no other test uses, for a product or a file.
pub fn unique_name() -> String {
    format!("{}{}", run_prefix(), &Uuid::new_v4().simple().to_string()[..12])
}

/// An address that takes every mail and belongs to nobody: the mailbox simulator of SES, which also works in a sandbox
/// account (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>).
pub fn simulator_address(label: &str) -> String {
    format!("success+{label}@simulator.amazonses.com")
}

/// Notes something that was made and does not hold the run's run_prefix, so that it can be removed: one JSON object a line in
/// the file that `E2E_MADE` names.
///
/// # Errors
/// When the file cannot be written.
pub fn record_created(kind: &str, id: &str, within: Option<&str>) -> anyhow::Result<()> {
    let made: Value = json!({ "kind": kind, "id": id, "within": within });
    append("E2E_MADE", &made.to_string())
}
