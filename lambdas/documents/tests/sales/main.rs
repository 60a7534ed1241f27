//! The ledger, exports and reports, over ports in memory.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod api;
mod export;
mod ledger;
mod report;
mod support;
