//! Invoices, the sales ledger, exports of orders, and daily reports.
//!
//! | function | module |
//! |---|---|
//! | `issue-invoice`, `render-invoice` | [`invoice`] |
//! | `record-sale` | [`ledger::record`] |
//! | `exports-api` | [`export::api`] |
//! | `export-orders` | [`export::run`] |
//! | `daily-report` | [`report::job`] |

pub mod adapters;
pub mod day;
pub mod export;
pub mod invoice;
pub mod ledger;
pub mod money;
pub mod report;
