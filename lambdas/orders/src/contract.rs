//! The descriptions of the operations for the contract.

use domain::{CustomerId, OrderId};
use platform::http::input::{Cursor, Limit};
use platform::http::{IdempotencyKey, OperationDescription};

use crate::request::PlaceOrder;
use crate::view::{ListView, OrderView};

const ORDER_ID: &str = "The id of the order.";

pub(crate) fn describe_place(it: &mut OperationDescription) {
    it.about(
        "Place an order",
        "Accepts the order. It is then processed asynchronously: stock is reserved at the given unit prices, \
         the payment method is charged, and the customer is notified by email. Get the order for its status.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A unique key, such as a UUID, for each order. A retry with the same key and body returns the \
         original response and does not place a second order. Keys are stored for a week.",
    )
    .body::<PlaceOrder>()
    .response::<OrderView<'_>>(201, "The order was placed.")
    .with_header("Location", "The path of the order.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for a different order.");
}

pub(crate) fn describe_place_own(it: &mut OperationDescription) {
    describe_place(it);
    it.problem(403, "forbidden", "Your account has no verified email address.").problem(
        429,
        "order-limit-reached",
        "You have placed too many orders. Retry after the time in `Retry-After`.",
    );
}

pub(crate) fn describe_list(it: &mut OperationDescription) {
    it.about("List orders", "The orders of a customer, the newest first.")
        .query::<CustomerId>(
            "customer_id",
            "The id of the customer. Required, except for customers: they omit it and get their own orders.",
        )
        .query::<Limit>("limit", "The maximum number of orders per page. The default is 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<ListView<'_>>(200, "A page of orders.");
}

pub(crate) fn describe_get(it: &mut OperationDescription) {
    it.about("Get an order", "An order that you may not access is reported as not found.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<OrderView<'_>>(200, "The order.")
        .problem(404, "not-found", "The order does not exist, or you may not access it.");
}

pub(crate) fn describe_cancel(it: &mut OperationDescription) {
    it.about(
        "Cancel an order",
        "Requests the cancellation of the order. The final status shows whether the request came in time: \
         `cancelled` if it did, `paid` if the order had already been charged. The operation is idempotent \
         and needs no Idempotency-Key.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<OrderView<'_>>(202, "Cancellation was requested, or the order is already cancelled.")
    .problem(404, "not-found", "The order does not exist, or you may not access it.")
    .problem(409, "order-final", "The order is in another final status and can no longer be cancelled.");
}
