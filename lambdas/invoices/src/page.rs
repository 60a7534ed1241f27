//! The invoice as HTML, with the same content as the PDF, for browsers and for printing.

use askama::Template;

use crate::content::Content;
use crate::language::Labels;
use crate::record::Invoice;

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    content: &'a Content,
    labels: &'static Labels,
}

/// Renders the page. The same invoice always results in the same bytes.
///
/// # Errors
/// When the template cannot be rendered, which does not happen.
pub fn render(invoice: &Invoice) -> anyhow::Result<String> {
    let content = Content::from_invoice(invoice);
    Ok(Page { content: &content, labels: content.labels() }.render()?)
}
