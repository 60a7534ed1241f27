//! The invoices of the documents service, over its ports in memory.

mod api;
mod issue;
mod numbers;
mod page;
mod pdf;
mod support;
