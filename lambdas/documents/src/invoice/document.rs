//! An invoice's documents. The first rendering is kept, and is what everybody gets from then on: so the bytes stay the same
//! when a later release of this program renders otherwise.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use platform::objects::{Object, ObjectStore, read_to_end};

use super::accept::Form;
use super::record::Invoice;
use super::{page, pdf};

/// The largest document that is read, in bytes: a function's answer has 6 MB, a third of which Base64 takes
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>).
const LARGEST: usize = 4 * 1024 * 1024;

/// Where an invoice's document is kept. The order's id is in it: where a table is put back to an earlier moment, a number
/// may be given again, and must not find another order's document.
pub fn key(invoice: &Invoice, form: Form) -> String {
    let ending = match form {
        Form::Pdf => "pdf",
        Form::Page => "html",
    };
    let (year, number, order) = (invoice.number.year(), invoice.number, invoice.order_id);
    format!("invoices/{year:04}/{number}.{order}.{ending}")
}

/// The document, made and kept if nobody asked for it before.
///
/// # Errors
/// When the bucket does not answer. What is not kept is not shown.
pub async fn document(
    objects: &Arc<dyn ObjectStore>,
    invoice: &Invoice,
    form: Form,
) -> anyhow::Result<Bytes> {
    let key = key(invoice, form);
    if let Some(kept) = read(objects, &key).await? {
        return Ok(kept);
    }
    let made: Bytes = match form {
        Form::Pdf => pdf::render(invoice)?.into(),
        Form::Page => page::render(invoice)?.into(),
    };
    let content_type = match form {
        Form::Pdf => "application/pdf",
        Form::Page => "text/html; charset=utf-8",
    };
    let file = Object { key: key.clone(), content_type: content_type.to_owned(), body: made.clone() };
    if objects.write_if_absent(file).await? {
        tracing::info!(number = %invoice.number, bytes = made.len(), key, "invoice rendered");
        return Ok(made);
    }
    // Somebody else was faster, maybe another release.
    read(objects, &key).await?.with_context(|| format!("{key} is there, and is not"))
}

async fn read(objects: &Arc<dyn ObjectStore>, key: &str) -> anyhow::Result<Option<Bytes>> {
    let Some(reading) = objects.read(key, 0, None).await? else { return Ok(None) };
    let whole = read_to_end(reading, LARGEST).await?;
    Ok(Some(whole.with_context(|| format!("{key} is too large"))?))
}
