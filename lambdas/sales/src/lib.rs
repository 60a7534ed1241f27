//! The sales service: the sales ledger, and the exports of orders and daily reports that are made from it.
//!
//! | function | module |
//! |---|---|
//! | `record-sale` | [`ledger::record`] |
//! | `exports-api` | [`api`] |
//! | `export-orders` | [`export::run`] |
//! | `daily-report` | [`report::job`] |

pub mod adapters;
pub mod api;
pub mod export;
pub mod ledger;
pub mod report;
mod view;
