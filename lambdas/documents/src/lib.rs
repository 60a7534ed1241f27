//! Exports and reports of what the shop sells.
//!
//! | function | module |
//! |---|---|
//! | `record-sale` | [`ledger::record`] |
//! | `exports-api` | [`export::api`] |
//! | `export-orders` | [`export::run`] |
//! | `daily-report` | [`report::job`] |

pub mod adapters;
pub mod day;
pub mod export;
pub mod ledger;
pub mod money;
pub mod report;
