//! Invoices, exports and reports.

pub mod adapters;
pub mod invoice;
