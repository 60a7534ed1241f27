//! What the command-line tools share: output for a terminal, requests to stop, and child processes that end on
//! such a request.

pub mod process;
pub mod signals;
pub mod ui;
