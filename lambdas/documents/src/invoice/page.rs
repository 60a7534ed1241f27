//! The invoice as a page: the same content as the PDF's, for a browser and its printer.

use askama::Template;

use super::content::Content;
use super::language::Labels;
use super::record::Invoice;

#[derive(Template)]
#[template(path = "invoice.html")]
struct Page<'a> {
    content: &'a Content,
    labels: &'static Labels,
}

/// The page. The same invoice gives the same bytes.
///
/// # Errors
/// When the template cannot be filled in, which it can.
pub fn render(invoice: &Invoice) -> anyhow::Result<String> {
    let content = Content::from_invoice(invoice);
    Ok(Page { content: &content, labels: content.labels() }.render()?)
}
