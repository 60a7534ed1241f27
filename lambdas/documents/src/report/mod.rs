//! The daily report: what was sold on a day of the shop's, by product and hour.
//!
//! | module | is |
//! |---|---|
//! | [`job`] | `daily-report`: makes it, puts it into the bucket and tells of it |
//! | [`figures`] | the sums |
//! | [`table`] | the report as CSV |
//! | [`page`] | the report as a page with charts |
//! | [`link`] | links for the mail that need no token, and last for a week |
//! | [`api`] | where both are to be had |
//!
//! Everything counts on the day on which it happened: an order when it was placed, a payment when it was charged, a
//! refund when it was given. So what comes later changes no day that is over, and a day that is run again gives the same
//! report, but for events that were delayed on their way to the ledger.

pub mod allocation;
pub mod api;
mod chart;
pub mod figures;
pub mod job;
pub mod link;
pub mod mail;
pub mod page;
pub mod table;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The files of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "ReportFile")]
pub enum ReportFile {
    /// The page.
    Page,
    /// The table.
    Csv,
}

impl ReportFile {
    /// Its name in links.
    pub fn name(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Csv => "csv",
        }
    }

    /// The name of the file in the bucket.
    pub fn key(self, day: Date) -> String {
        match self {
            Self::Page => format!("reports/{day}/report.html"),
            Self::Csv => format!("reports/{day}/report.csv"),
        }
    }

    /// What a browser saves it as; a page is shown instead.
    pub fn file_name(self, day: Date) -> Option<String> {
        match self {
            Self::Page => None,
            Self::Csv => Some(format!("report-{day}.csv")),
        }
    }
}

impl std::str::FromStr for ReportFile {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Page, Self::Csv].into_iter().find(|file| file.name() == name).ok_or("must be page or csv")
    }
}
