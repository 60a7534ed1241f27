//! The descriptions of the operations for the contract.

use platform::http::OperationDescription;

use super::ReportFile;
use super::request::{Day, Signature, Until};
use super::view::ReportView;

pub(crate) fn describe_read(it: &mut OperationDescription) {
    it.about(
        "Get a daily report",
        "Returns download links for the report of a day in the shop's time zone, with the sales by product \
         and hour: a page with charts (HTML), and a table (CSV). The report is created early in the morning \
         of the next day.",
    )
    .path::<Day>("day", "Date of the report, such as 2026-11-23.")
    .response::<ReportView>(200, "The report.")
    .problem(404, "not-found", "There is no report for this day.");
}

pub(crate) fn describe_follow(it: &mut OperationDescription) {
    it.about(
        "Follow a report link",
        "Redirects a browser from a link in a report email to the file. Links are valid for seven days, for \
         anyone who has them.",
    )
    .path::<Day>("day", "Date of the report.")
    .path::<ReportFile>("file", "File of the report.")
    .query::<Until>("until", "Expiry of the link, as Unix time in seconds.")
    .query::<Signature>("signature", "Signature of the link.")
    .empty_response(302, "The file is at `Location`.")
    .with_header("Location", "URL of the file, valid for one minute.")
    .problem(403, "forbidden", "The link has expired, or its signature is invalid.")
    .problem(404, "not-found", "There is no report for this day.");
}
