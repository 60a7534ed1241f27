//! The response bodies of the API.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Serialize;

use crate::view::DownloadView;

/// A daily report.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Report")]
pub(crate) struct ReportView {
    /// Date of the report.
    #[schemars(with = "String", extend("format" = "date"))]
    pub(crate) day: Date,
    /// Download link for the page (HTML).
    pub(crate) page: DownloadView,
    /// Download link for the table (CSV).
    pub(crate) csv: DownloadView,
}
