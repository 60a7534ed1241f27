//! The daily report: the sales of a day in the shop's time zone, by product and hour.
//!
//! | module | content |
//! |---|---|
//! | [`job`] | `daily-report`: creates the report, stores it in the bucket and sends an email |
//! | [`figures`] | the totals |
//! | [`table`] | the report as CSV |
//! | [`page`] | the report as a page with charts |
//! | [`day`] | the day in the shop's time zone, and its hours |
//! | [`link`] | signed links for the email, which need no token and are valid for a week |
//! | [`api`] | `exports-api`: the API for both files |
//! | [`store`] | the ports |
//!
//! Everything counts on the day on which it happened: an order when it was placed, a payment when it was
//! charged, a refund when it was made. So later events never change the report of an earlier day, and running
//! a day again creates the same report, unless events reached the ledger late.

pub mod allocation;
pub mod api;
mod chart;
mod contract;
pub mod day;
pub mod figures;
pub mod job;
pub mod link;
mod mail;
mod money;
pub mod page;
mod request;
pub mod store;
pub mod table;
mod view;

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

/// A file of a report.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
#[schemars(rename = "ReportFile")]
pub enum ReportFile {
    /// The page with charts (HTML).
    Page,
    /// The table (CSV).
    Csv,
}

impl ReportFile {
    /// Returns the name of the file in links.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Returns the key of the file in the bucket.
    pub fn key(self, day: Date) -> String {
        match self {
            Self::Page => format!("reports/{day}/report.html"),
            Self::Csv => format!("reports/{day}/report.csv"),
        }
    }

    /// Returns the file name for downloads. `None` for the page, which a browser displays.
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
        Self::VARIANTS.iter().copied().find(|file| file.name() == name).ok_or("must be page or csv")
    }
}
