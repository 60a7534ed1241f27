//! An invoice's documents. The first rendering is kept, and is what everybody gets from then on: so the bytes stay the same
//! when a later release of this program renders otherwise.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use platform::objects::{Object, ObjectStore, read_to_end};

use super::accept::DocumentFormat;
use super::record::Invoice;
use super::{page, pdf};

/// The largest document that is read, in bytes: a function's answer has 6 MB, a third of which Base64 takes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Where an invoice's document is kept. The order's id is in it: where a table is put back to an earlier moment, a number
/// may be given again, and must not find another order's document.
pub fn object_key(invoice: &Invoice, format: DocumentFormat) -> String {
    let extension = match format {
        DocumentFormat::Pdf => "pdf",
        DocumentFormat::Html => "html",
    };
    let (year, number, order) = (invoice.number.year(), invoice.number, invoice.order_id);
    format!("invoices/{year:04}/{number}.{order}.{extension}")
}

/// The document, made and kept if nobody asked for it before.
///
/// # Errors
/// When the bucket does not answer. What is not kept is not shown.
pub async fn load_or_render(
    objects: &Arc<dyn ObjectStore>,
    invoice: &Invoice,
    format: DocumentFormat,
) -> anyhow::Result<Bytes> {
    let key = object_key(invoice, format);
    if let Some(stored) = read(objects, &key).await? {
        return Ok(stored);
    }
    let rendered: Bytes = match format {
        DocumentFormat::Pdf => pdf::render(invoice)?.into(),
        DocumentFormat::Html => page::render(invoice)?.into(),
    };
    let content_type = match format {
        DocumentFormat::Pdf => "application/pdf",
        DocumentFormat::Html => "text/html; charset=utf-8",
    };
    let object = Object { key: key.clone(), content_type: content_type.to_owned(), body: rendered.clone() };
    if objects.write_if_absent(object).await? {
        tracing::info!(number = %invoice.number, bytes = rendered.len(), key, "invoice rendered");
        return Ok(rendered);
    }
    // Somebody else was faster, maybe another release.
    read(objects, &key).await?.with_context(|| format!("{key} exists but could not be read"))
}

async fn read(objects: &Arc<dyn ObjectStore>, key: &str) -> anyhow::Result<Option<Bytes>> {
    let Some(stream) = objects.read(key, 0, None).await? else { return Ok(None) };
    let body = read_to_end(stream, MAX_DOCUMENT_BYTES).await?;
    Ok(Some(body.with_context(|| format!("{key} is too large"))?))
}
