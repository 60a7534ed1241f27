//! The descriptions of the operations for the contract.

use domain::OrderId;
use platform::http::OperationDescription;

use crate::view::Document;

pub(crate) fn describe(it: &mut OperationDescription) {
    it.about(
        "Get an invoice",
        "Returns the invoice of a paid order. It is issued shortly after the payment and never changes, not \
         even by a byte. `Accept: application/pdf` returns the PDF, and a preference for `text/html` the \
         page. Otherwise, for example with `*/*`, the response is a redirect (303) to a URL of the PDF that \
         is valid for one minute.",
    )
    .path::<OrderId>("order_id", "The `id` of the order.")
    .header::<String>(
        "If-None-Match",
        "The `ETag` of the document that you have. If it has not changed, the response is a 304.",
    )
    .response_as::<Document>(200, "application/pdf", "The invoice as PDF.")
    .with_header("ETag", "Entity tag of the document, for `If-None-Match`.")
    .with_header("Content-Disposition", "File name of the document: the number of the invoice.")
    .response_as::<Document>(200, "text/html", "The invoice as HTML.")
    .empty_response(303, "The PDF is at `Location` for one minute. It needs no token there.")
    .with_header("Location", "URL of the PDF.")
    .empty_response(304, "The document has not changed.")
    .problem(
        404,
        "not-found",
        "You have no such order, or it has no invoice yet: it is unpaid, or was paid just now.",
    )
    .problem(406, "not-acceptable", "Invoices are available as PDF and HTML only.");
}
