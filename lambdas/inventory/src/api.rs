//! `inventory-api`: products, stock and reservations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::reservation::{Decision, Reservation};
use domain::{DeliveryId, OrderId, Sku};
use platform::Clock;
use platform::http::input::{Cursor, Limit, PageInput, encode_cursor};
use platform::http::precondition::{IfMatch, IfNoneMatch, with_etag};
use platform::http::{
    Access, Json, Operation, OperationDescription, Precondition, Problem, Routes, Scope, parse_path_parameter,
};
use platform::optimistic::Attempts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::product::{MAX_STOCK, Product};
use crate::request::{PutDelivery, PutProduct, PutReservation};
use crate::store::{DeliveryOutcome, Products, Reservations};

/// The dependencies of the routes.
pub struct Api {
    /// The store of products.
    pub products: Arc<dyn Products>,
    /// The store of reservations.
    pub reservations: Arc<dyn Reservations>,
    /// Supplies the time and random numbers.
    pub clock: Arc<dyn Clock>,
}

/// Builds the router of the API.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, with their descriptions for the OpenAPI document.
pub fn routes() -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::InventoryWrite);
    let reservation = "/reservations/{order_id}";
    Routes::default()
        .add(Operation::get("/products", "listProducts", Access::Public, describe_list), list_products)
        .add(Operation::get("/products/{sku}", "readProduct", Access::Public, describe_get), get_product)
        .add(Operation::put("/products/{sku}", "putProduct", staff, describe_put), put_product)
        .add(
            Operation::put(
                "/products/{sku}/deliveries/{delivery_id}",
                "putDelivery",
                staff,
                describe_delivery,
            ),
            put_delivery,
        )
        .add(
            Operation::get(reservation, "readReservation", Access::Service, describe_get_reservation),
            get_reservation,
        )
        .add(Operation::put(reservation, "putReservation", Access::Service, describe_reserve), reserve)
        .add(
            Operation::post(
                "/reservations/{order_id}/commit",
                "commitReservation",
                Access::Service,
                describe_commit,
            ),
            commit,
        )
        .add(
            Operation::post(
                "/reservations/{order_id}/release",
                "releaseReservation",
                Access::Service,
                describe_release,
            ),
            release,
        )
}

const REVISION: &str = "The product's revision, for `If-Match`.";

fn describe_list(it: &mut OperationDescription) {
    it.about("List products", "The order is unspecified.")
        .query::<Limit>("limit", "The maximum number of products per page. The default is 20.")
        .query::<Cursor>("cursor", "The `next_cursor` of the previous page.")
        .response::<ListView>(200, "A page of products.");
}

fn describe_get(it: &mut OperationDescription) {
    it.about("Get a product", "The product with its price and stock.")
        .path::<Sku>("sku", "The SKU of the product.")
        .response::<Product>(200, "The product.")
        .with_header("ETag", REVISION)
        .problem(404, "not-found", "The product does not exist.");
}

fn describe_put(it: &mut OperationDescription) {
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

fn describe_delivery(it: &mut OperationDescription) {
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

fn describe_get_reservation(it: &mut OperationDescription) {
    it.about("Get a reservation", "")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "The reservation.")
        .problem(404, "not-found", "The order has no reservation.");
}

fn describe_reserve(it: &mut OperationDescription) {
    it.about(
        "Reserve stock",
        "Reserves all lines of the order or none: the `state` of the reservation is `held` or `rejected`. \
         The operation is idempotent.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .body::<PutReservation>()
    .response::<Reservation>(200, "The reservation.");
}

fn describe_commit(it: &mut OperationDescription) {
    it.about("Commit a reservation", "Marks the reserved stock as sold. The operation is idempotent.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "The committed reservation.")
        .problem(409, "reservation-final", "No stock is reserved for the order.");
}

fn describe_release(it: &mut OperationDescription) {
    it.about(
        "Release a reservation",
        "Makes the reserved stock available again. If the order has no reservation yet, stock can no longer \
         be reserved for it. The operation is idempotent.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<Reservation>(200, "The released reservation.")
    .problem(409, "reservation-final", "The reservation is committed.");
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductPage")]
struct ListView {
    /// The products, in no particular order.
    products: Vec<Product>,
    /// The cursor of the next page; null on the last page.
    next_cursor: Option<String>,
}

async fn list_products(
    State(api): State<Arc<Api>>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let page = PageInput::parse(query.limit.as_deref(), query.cursor.as_deref()).map_err(Problem::invalid)?;
    let page = api.products.list(page.after.as_ref(), page.limit).await?;
    Ok(Json(ListView { products: page.products, next_cursor: page.next.as_ref().map(encode_cursor) })
        .into_response())
}

async fn get_product(State(api): State<Arc<Api>>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let product = api.products.get(&sku).await?.ok_or_else(|| product_not_found(&sku))?;
    Ok(product_response(product))
}

fn product_response(product: Product) -> Response {
    with_etag(product.revision, Json(product))
}

fn product_not_found(sku: &Sku) -> Problem {
    Problem::not_found(format!("There is no product {sku}. Create it with PUT /products/{sku}."))
}

async fn put_product(
    State(api): State<Arc<Api>>,
    Path(sku): Path<String>,
    condition: Precondition,
    body: Json<PutProduct>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let put = api.products.put(&sku, &body.0.into(), condition).await?;
    Ok(product_response(put.ok_or_else(|| precondition_failed(&sku))?))
}

fn precondition_failed(sku: &Sku) -> Problem {
    Problem::precondition_failed(format!("{sku} does not meet If-Match or If-None-Match. Get it again."))
}

async fn put_delivery(
    State(api): State<Arc<Api>>,
    Path((sku, delivery)): Path<(String, String)>,
    condition: Precondition,
    body: Json<PutDelivery>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let delivery: DeliveryId = parse_path_parameter("delivery_id", &delivery)?;
    let quantity = body.0.quantity()?;
    // A delivery changes only the stock and an update of the product everything else, so an update between the check
    // and the delivery has the same result as one behind the delivery.
    if condition != Precondition::None {
        let product = api.products.get(&sku).await?.ok_or_else(|| product_not_found(&sku))?;
        if !condition.is_met_by(Some(product.revision)) {
            return Err(precondition_failed(&sku));
        }
    }
    match api.products.record_delivery(&sku, &delivery, quantity).await? {
        DeliveryOutcome::Recorded => {}
        DeliveryOutcome::QuantityMismatch => {
            let detail = format!("The delivery {delivery} of {sku} was recorded with another quantity.");
            return Err(Problem::conflict("delivery-differs", "The delivery was recorded before", detail));
        }
        DeliveryOutcome::Rejected if api.products.get(&sku).await?.is_none() => {
            return Err(product_not_found(&sku));
        }
        DeliveryOutcome::Rejected => {
            let detail = format!("The stock of {sku} would exceed {MAX_STOCK} pieces.");
            return Err(Problem::conflict("stock-too-large", "The stock is too large", detail));
        }
    }
    let product = api.products.get(&sku).await?.ok_or_else(|| product_not_found(&sku))?;
    Ok(product_response(product))
}

async fn get_reservation(
    State(api): State<Arc<Api>>,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    let order = parse_order_id(&order)?;
    let reservation = api.reservations.get(order).await?;
    let found = reservation
        .ok_or_else(|| Problem::not_found(format!("There is no reservation for order {order}.")))?;
    Ok(Json(found).into_response())
}

async fn reserve(
    State(api): State<Arc<Api>>,
    Path(order): Path<String>,
    body: Json<PutReservation>,
) -> Result<Response, Problem> {
    let order = parse_order_id(&order)?;
    let lines = body.0.lines()?;
    api.execute(order, Command::Reserve(&lines)).await
}

async fn commit(State(api): State<Arc<Api>>, Path(order): Path<String>) -> Result<Response, Problem> {
    api.execute(parse_order_id(&order)?, Command::Commit).await
}

async fn release(State(api): State<Arc<Api>>, Path(order): Path<String>) -> Result<Response, Problem> {
    api.execute(parse_order_id(&order)?, Command::Release).await
}

fn parse_order_id(text: &str) -> Result<OrderId, Problem> {
    let order = parse_path_parameter("order_id", text)?;
    tracing::Span::current().record("order_id", text);
    Ok(order)
}

impl Api {
    /// Executes a command with optimistic locking. Repeating a command returns the same response.
    async fn execute(&self, order: OrderId, command: Command<'_>) -> Result<Response, Problem> {
        let mut attempts = Attempts::at(format!("the reservation of order {order}"), self.clock.as_ref());
        loop {
            attempts.start().await?;
            let read = self.reservations.get(order).await?;
            let products = command.products(read.as_ref());
            let stock = if products.is_empty() {
                BTreeMap::new()
            } else {
                self.reservations.load_stock(&products).await?
            };
            match command.decide(order, read.as_ref(), &stock) {
                Decision::Unchanged(reservation) => return Ok(reservation_response(&reservation)),
                Decision::Refuse(why) => {
                    tracing::error!(why, "the command contradicts the reservation");
                    return Err(Problem::conflict("reservation-final", "The reservation is final", why));
                }
                Decision::Write { reservation, changes } => {
                    if self.reservations.write(read.as_ref(), &reservation, &changes).await? {
                        return Ok(reservation_response(&reservation));
                    }
                }
            }
        }
    }
}

fn reservation_response(reservation: &Reservation) -> Response {
    Json(reservation).into_response()
}
