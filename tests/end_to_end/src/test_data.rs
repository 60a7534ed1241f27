//! Identifies the data that the tests create, so that it can be removed afterwards.

use std::sync::LazyLock;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::requirements::append;

/// The id of this run: eight characters.
static RUN: LazyLock<String> = LazyLock::new(|| {
    std::env::var("E2E_RUN").unwrap_or_else(|_| Uuid::new_v4().simple().to_string()[..8].to_owned())
});

/// Returns the prefix of the names of all products, files and messages of this run: `TEST-<run>-`. A row or
/// an object that contains it is test data.
pub fn run_prefix() -> String {
    format!("TEST-{}-", *RUN)
}

/// Returns a unique name for a product or a file.
pub fn unique_name() -> String {
    format!("{}{}", run_prefix(), &Uuid::new_v4().simple().to_string()[..12])
}

/// Returns an address that accepts every mail: the mailbox simulator of SES, which also works in a sandbox
/// account (<https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html>).
pub fn simulator_address(label: &str) -> String {
    format!("success+{label}@simulator.amazonses.com")
}

/// Records a created resource whose name does not contain the prefix of the run, so that it can be removed:
/// one JSON object per line in the file named by `E2E_MADE`.
///
/// # Errors
/// When the file cannot be written.
pub fn record_created(kind: &str, id: &str, within: Option<&str>) -> anyhow::Result<()> {
    let created: Value = json!({ "kind": kind, "id": id, "within": within });
    append("E2E_MADE", &created.to_string())
}
