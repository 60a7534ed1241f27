//! What the contract says of exports.

use platform::http::{IdempotencyKey, OperationDescription};

use super::ExportId;
use super::api::ExportView;
use super::request::CreateExport;

const EXPORT_ID: &str = "The export: the `id` that asking for it was answered with.";

pub(super) fn describe_create(it: &mut OperationDescription) {
    it.about(
        "Ask for an export of orders",
        "A file with all orders of a period is written, each as it stands at this moment. That takes from seconds to \
         some minutes; read the export to see how far it is. Orders of the last few seconds may be missing. In CSV \
         and Parquet each line of an order is a row, and what is said of the order stands in each of its rows; in \
         JSON Lines each order is a line.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A new one, such as a UUID, for each export; the same one when you send the same request again, which then \
         is about the same export. Remembered for a month.",
    )
    .body::<CreateExport>()
    .response::<ExportView>(202, "It is asked for.")
    .with_header("Location", "Where the export is.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for another export.");
}

pub(super) fn describe_read(it: &mut OperationDescription) {
    it.about(
        "Read an export",
        "How far it is, and when it is done, a link from which the file can be fetched.",
    )
    .path::<ExportId>("export_id", EXPORT_ID)
    .response::<ExportView>(200, "The export.")
    .problem(404, "not-found", "There is no such export, or it is more than a month old.");
}
