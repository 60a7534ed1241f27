//! The descriptions of the operations for the contract.

use platform::http::OperationDescription;
use serde_json::{Map, Value};

const IF_NONE_MATCH: &str = "The `ETag` of your cached copy.";

pub(crate) fn describe_document(it: &mut OperationDescription) {
    it.about("Get the OpenAPI document", "This reference as an OpenAPI 3.1 document.")
        .header::<String>("If-None-Match", IF_NONE_MATCH)
        .response_as::<Map<String, Value>>(200, "application/json", "The OpenAPI document.")
        .with_header("ETag", "Changes when the document changes.")
        .with_header("Cache-Control", "How long the response may be cached.")
        .empty_response(304, "Your cached copy is current.");
}

pub(crate) fn describe_page(it: &mut OperationDescription) {
    it.about("Get the reference page", "This reference as an HTML page.")
        .header::<String>("If-None-Match", IF_NONE_MATCH)
        .response_as::<String>(200, "text/html", "The page.")
        .with_header("ETag", "Changes when the page changes.")
        .with_header("Cache-Control", "How long the response may be cached.")
        .empty_response(304, "Your cached copy is current.");
}
