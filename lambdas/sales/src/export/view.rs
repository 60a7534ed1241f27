//! The response bodies of the API.

use std::collections::BTreeSet;

use domain::order::OrderStatus;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ExportId, Format};
use crate::view::DownloadView;

/// An export of orders.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
pub(crate) struct ExportView {
    /// Unique identifier of the export.
    pub(crate) id: ExportId,
    /// Status of the export.
    pub(crate) status: ExportStatus,
    /// Format of the file.
    pub(crate) format: Format,
    /// Start of the period, inclusive (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) from: Timestamp,
    /// End of the period, exclusive (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) until: Timestamp,
    /// The export includes only orders with one of these statuses. Absent if it includes all orders.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) statuses: BTreeSet<OrderStatus>,
    /// Time of the request. The export contains the state of each order at this time.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) requested_at: Timestamp,
    /// Number of orders written so far.
    pub(crate) orders: u64,
    /// Size of the file in bytes, once the export is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<u64>,
    /// Download link, once the export is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) download: Option<DownloadView>,
}

/// Status of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ExportStatus {
    /// The export is waiting to be processed.
    Queued,
    /// The file is being written.
    Running,
    /// The file is available for download.
    Done,
    /// The export failed, and the shop has been alerted. Create a new export.
    Failed,
    /// The file has been deleted. Create a new export.
    Expired,
}
