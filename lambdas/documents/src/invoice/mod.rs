//! Invoices: issued when an order is paid, and shown as a PDF or a page.
//!
//! | function | module |
//! |---|---|
//! | `issue-invoice` | [`issue`] |
//! | `render-invoice` | [`api`] |
//!
//! Issuing gives the number and writes down all that the invoice shows ([`Invoice`]); nothing that changes later, such as a
//! product's name, changes an invoice. Rendering makes a document of that alone, without a clock or chance, and the first
//! rendering is kept ([`document`]): `docs/decisions/0017-invoices.md`.

pub mod accept;
pub mod api;
pub mod catalogue;
pub mod content;
pub mod document;
pub mod issue;
pub mod language;
pub mod page;
pub mod pdf;
mod record;
pub mod settings;
pub mod store;
mod tax;

pub use record::{Buyer, Invoice, InvoiceLine, InvoiceNumber, Seller};
pub use tax::{TaxTotal, totals_by_rate};
