//! The invoice as a PDF: `layout` determines the positions, `draw` draws the pages.
//!
//! The same content always results in the same bytes: there is no clock and nothing random, and the dates and
//! the id in the file are those of the invoice.

mod draw;
mod fonts;
mod layout;
mod text;

pub use draw::render;
pub use layout::{Item, Layout, Page, lay_out};
