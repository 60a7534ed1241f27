//! The emails that the notification service recorded as sent. Nothing else in the audit knows the format of
//! its rows.

use anyhow::Context as _;
use domain::OrderId;
use domain::claim::{Claim, Status};
use invariants::Email;

use super::tables::{Item, text};

/// The logical id of the table.
pub(super) const TABLE: &str = "EmailsTable";

/// The email that a row records as sent. `None` if the row is leased or its outcome is unknown.
pub(super) fn read(row: &Item) -> anyhow::Result<Option<Email>> {
    let order_id: OrderId = text(row, "subject")?.parse()?;
    let kind = text(row, "effect")?.to_owned();
    let claim: Claim =
        serde_json::from_str(text(row, "claim")?).context("the claim of an email cannot be parsed")?;
    Ok(matches!(claim.status, Status::Completed { .. }).then_some(Email { order_id, kind }))
}
