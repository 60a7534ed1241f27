//! What the notifications say that they sent. The one place that knows how they note it down.

use anyhow::Context as _;
use domain::OrderId;
use domain::claim::{Claim, Status};
use invariants::Email;

use super::tables::{Item, text};

/// The logical id of the table.
pub(super) const TABLE: &str = "EmailsTable";

/// The mail that a row says was sent. `None` where somebody is at it, or was: nobody knows whether it went out.
pub(super) fn read(row: &Item) -> anyhow::Result<Option<Email>> {
    let order_id: OrderId = text(row, "subject")?.parse()?;
    let kind = text(row, "effect")?.to_owned();
    let claim: Claim =
        serde_json::from_str(text(row, "claim")?).context("a claim on a mail is not understood")?;
    Ok(matches!(claim.status, Status::Completed { .. }).then_some(Email { order_id, kind }))
}
