//! The descriptions of the operations for the contract.

use domain::reservation::Reservation;
use domain::{DeliveryId, OrderId, Sku};
use platform::http::OperationDescription;
use platform::http::input::{Cursor, Limit};
use platform::http::precondition::{IfMatch, IfNoneMatch};

use crate::product::Product;
use crate::request::{PutDelivery, PutProduct, PutReservation};
use crate::view::ListView;

const REVISION: &str = "The product's revision, for `If-Match`.";

pub(crate) fn describe_list(it: &mut OperationDescription) {
    it.about("List products", "The order is unspecified.")
        .query::<Limit>("limit", "The maximum number of products per page. The default is 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<ListView>(200, "A page of products.");
}

pub(crate) fn describe_get(it: &mut OperationDescription) {
    it.about("Get a product", "The product with its price and stock.")
        .path::<Sku>("sku", "The SKU of the product.")
        .response::<Product>(200, "The product.")
        .with_header("ETag", REVISION)
        .problem(404, "not-found", "The product does not exist.");
}

pub(crate) fn describe_put(it: &mut OperationDescription) {
    it.about(
        "Update a product",
        "Creates the product if it does not exist. The `ETag` changes with the name, price and \
         tax rate, not with the stock.",
    )
    .path::<Sku>("sku", "The SKU of the product.")
    .header::<IfMatch>("If-Match", "Updates the product only if its `ETag` matches; `*` matches any product.")
    .header::<IfNoneMatch>("If-None-Match", "`*` creates the product only if it does not exist.")
    .body::<PutProduct>()
    .response::<Product>(200, "The updated product.")
    .with_header("ETag", REVISION)
    .problem(412, "precondition-failed", "The product does not meet the precondition: get it again.");
}

pub(crate) fn describe_delivery(it: &mut OperationDescription) {
    it.about(
        "Record a stock delivery",
        "Adds the quantity to the available stock. Retries with the same id have no effect.",
    )
    .path::<Sku>("sku", "The SKU of the product.")
    .path::<DeliveryId>(
        "delivery_id",
        "The unique id of the delivery for this product, chosen by the client.",
    )
    .header::<IfMatch>("If-Match", "Records the delivery only if the product's `ETag` matches.")
    .body::<PutDelivery>()
    .response::<Product>(200, "The updated product.")
    .with_header("ETag", REVISION)
    .problem(404, "not-found", "The product does not exist.")
    .problem(409, "delivery-differs", "The delivery was recorded before with another quantity.")
    .problem(409, "stock-too-large", "The stock would exceed the maximum.")
    .problem(412, "precondition-failed", "The product does not meet the precondition: get it again.");
}

const ORDER_ID: &str = "The id of the order.";

pub(crate) fn describe_get_reservation(it: &mut OperationDescription) {
    it.about("Get a reservation", "")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "The reservation.")
        .problem(404, "not-found", "The order has no reservation.");
}

pub(crate) fn describe_reserve(it: &mut OperationDescription) {
    it.about(
        "Reserve stock",
        "Reserves all lines of the order or none: the `state` of the reservation is `held` or `rejected`. \
         The operation is idempotent.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .body::<PutReservation>()
    .response::<Reservation>(200, "The reservation.");
}

pub(crate) fn describe_commit(it: &mut OperationDescription) {
    it.about("Commit a reservation", "Marks the reserved stock as sold. The operation is idempotent.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "The committed reservation.")
        .problem(409, "reservation-final", "No stock is reserved for the order.");
}

pub(crate) fn describe_release(it: &mut OperationDescription) {
    it.about(
        "Release a reservation",
        "Makes the reserved stock available again. If the order has no reservation yet, stock can no longer \
         be reserved for it. The operation is idempotent.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<Reservation>(200, "The released reservation.")
    .problem(409, "reservation-final", "The reservation is committed.");
}
