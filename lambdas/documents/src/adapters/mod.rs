//! The ports, over AWS and the inventory's API.

pub mod invoices;
