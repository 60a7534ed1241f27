//! The invoice as a PDF: `layout` decides where everything stands, `draw` puts it there.
//!
//! The same content gives the same bytes: no clock, no chance, the dates and the id within the file are the invoice's.

mod draw;
mod fonts;
mod layout;
mod text;

pub use draw::render;
pub use layout::{Item, Layout, Page, lay_out};
