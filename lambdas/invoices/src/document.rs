//! The documents of an invoice. The first rendering is stored and served from then on, so the bytes stay the
//! same even if a later release renders differently.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use platform::http::Problem;
use platform::objects::{Object, ObjectStore, read_to_end};

use crate::accept::DocumentFormat;
use crate::record::Invoice;
use crate::{page, pdf};

/// The maximum size of a document in bytes. A response of a function is limited to 6 MB, and Base64 takes up
/// a quarter of that (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The bucket is unavailable. The same request may succeed later.
    #[error(transparent)]
    Unavailable(#[from] anyhow::Error),
    /// The document cannot be rendered or is too large, which only another release changes.
    #[error("the document cannot be made: {0:#}")]
    Unrenderable(anyhow::Error),
}

/// Only an unavailable bucket is a 503, because clients repeat the request after one.
impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Unavailable(error) => error.into(),
            error @ DocumentError::Unrenderable(_) => {
                tracing::error!(%error, "an invoice cannot be rendered");
                Self::internal()
            }
        }
    }
}

/// Returns the key of the document. It contains the order id, because a number may be assigned again after
/// the table was restored to an earlier point in time, and must not lead to the document of another order.
pub fn object_key(invoice: &Invoice, format: DocumentFormat) -> String {
    let extension = match format {
        DocumentFormat::Pdf => "pdf",
        DocumentFormat::Html => "html",
    };
    let (year, number, order) = (invoice.number.year(), invoice.number, invoice.order_id);
    format!("invoices/{year:04}/{number}.{order}.{extension}")
}

/// Returns the stored document, or renders and stores it.
///
/// # Errors
/// When the bucket is unavailable, or the document cannot be rendered. A document that cannot be stored is not
/// returned.
pub async fn load_or_render(
    objects: &Arc<dyn ObjectStore>,
    invoice: &Invoice,
    format: DocumentFormat,
) -> Result<Bytes, DocumentError> {
    let key = object_key(invoice, format);
    if let Some(stored) = read(objects, &key).await? {
        return Ok(stored);
    }
    let rendered: Bytes = match format {
        DocumentFormat::Pdf => pdf::render(invoice).map_err(DocumentError::Unrenderable)?.into(),
        DocumentFormat::Html => page::render(invoice).map_err(DocumentError::Unrenderable)?.into(),
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
    // Another request, possibly of another release, stored it first.
    let stored = read(objects, &key).await?;
    Ok(stored.with_context(|| format!("{key} exists but could not be read"))?)
}

async fn read(objects: &Arc<dyn ObjectStore>, key: &str) -> Result<Option<Bytes>, DocumentError> {
    let Some(stream) = objects.read(key, 0, None).await? else { return Ok(None) };
    let body = read_to_end(stream, MAX_DOCUMENT_BYTES).await?;
    let too_large = || DocumentError::Unrenderable(anyhow!("{key} is too large"));
    body.ok_or_else(too_large).map(Some)
}
