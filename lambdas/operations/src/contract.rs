//! The descriptions of the operations for the contract.

use platform::http::OperationDescription;

use crate::view::HealthView;

pub(crate) fn describe_health(operation: &mut OperationDescription) {
    operation.about(
        "Get the health of the shop",
        "After each deployment, and every five minutes, a synthetic customer signs in, reads a product, and places \
         an order that is never charged. This operation returns the latest result.",
    )
    .response::<HealthView>(200, "All steps succeeded, or the stack is new and is being checked: see `status`.")
    .with_header("Cache-Control", "How long the response may be cached.")
    .problem(503, "unhealthy", "A step failed, or there was no health check for 15 minutes: see `detail`.");
}
