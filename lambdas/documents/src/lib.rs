//! Invoices, exports and reports.
