//! What the notifications say that they sent. The one place that knows how they note it down.

use anyhow::Context as _;
use domain::OrderId;
use domain::claim::Claim;
use invariants::Mail;

use super::tables::{Item, text};

/// The logical id of the table.
pub(super) const TABLE: &str = "EmailsTable";

/// The mail that a row says was sent. `None` where somebody is at it, or was: nobody knows whether it went out.
pub(super) fn read(row: &Item) -> anyhow::Result<Option<Mail>> {
    let order_id: OrderId = text(row, "order_id")?.parse()?;
    let kind = text(row, "kind")?.to_owned();
    let claim: Claim =
        serde_json::from_str(text(row, "claim")?).context("a claim on a mail is not understood")?;
    Ok(matches!(claim, Claim::Done { .. }).then_some(Mail { order_id, kind }))
}
