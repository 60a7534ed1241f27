//! The invoice service: invoices are issued when an order is paid, and available as PDF and HTML.
//!
//! | function | module |
//! |---|---|
//! | `issue-invoice` | [`issue`] |
//! | `render-invoice` | [`api`] |
//!
//! Issuing an invoice assigns its number and stores everything that it shows ([`Invoice`]), so later changes,
//! such as a new product name, do not affect it. Rendering depends only on the invoice, not on the clock or
//! on random values, and the first rendering is stored ([`document`]): `docs/decisions/0017-invoices.md`.

pub mod accept;
pub mod adapters;
mod address;
pub mod api;
pub mod content;
mod contract;
pub mod document;
pub mod issue;
pub mod language;
pub mod page;
pub mod pdf;
mod record;
pub mod settings;
pub mod store;
mod tax;
mod view;

pub use record::{Buyer, Invoice, InvoiceLine, InvoiceNumber, Seller};
pub use tax::{TaxTotal, totals_by_rate};
