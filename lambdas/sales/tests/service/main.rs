//! The sales ledger, exports and reports, with ports in memory.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod api;
mod export;
mod ledger;
mod report;
mod support;
