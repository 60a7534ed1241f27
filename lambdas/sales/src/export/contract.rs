//! The descriptions of the operations for the contract.

use platform::http::{IdempotencyKey, OperationDescription};

use super::ExportId;
use super::request::CreateExport;
use super::view::ExportView;

pub(crate) fn describe_create(it: &mut OperationDescription) {
    it.about(
        "Create an export",
        "Starts an export of all orders that were placed in a period, each with its state at the time of the \
         request. It takes from a few seconds to several minutes; get the export to check its status. Orders \
         of the last few seconds may be missing. CSV and Parquet files have one row per order line, which \
         repeats the data of the order. JSON Lines files have one line per order.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A unique value for each export, such as a UUID. Retry a request with the same value to get the same \
         export. Keys expire after 30 days.",
    )
    .body::<CreateExport>()
    .response::<ExportView>(202, "The export is created.")
    .with_header("Location", "Path of the export.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for a different export.");
}

pub(crate) fn describe_read(it: &mut OperationDescription) {
    it.about(
        "Get an export",
        "Returns the status of an export and, when it is done, a link to download the file.",
    )
    .path::<ExportId>("export_id", "The `id` of the export.")
    .response::<ExportView>(200, "The export.")
    .problem(404, "not-found", "There is no such export, or it is more than 30 days old.");
}
