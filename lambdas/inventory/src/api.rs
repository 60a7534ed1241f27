//! `inventory-api`: products, stock and reservations.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::reservation::{Decision, Reservation};
use domain::{DeliveryId, OrderId, Sku};
use platform::Clock;
use platform::http::input::{PageInput, encode_cursor};
use platform::http::precondition::with_etag;
use platform::http::{Access, Json, Operation, Precondition, Problem, Routes, Scope, parse_path_parameter};
use platform::optimistic::Attempts;
use serde::Deserialize;

use crate::command::Command;
use crate::contract;
use crate::product::{MAX_STOCK, Product};
use crate::request::{PutDelivery, PutProduct, PutReservation};
use crate::store::{DeliveryOutcome, Products, Reservations};
use crate::view::ListView;

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
        .add(
            Operation::get("/products", "listProducts", Access::Public, contract::describe_list),
            list_products,
        )
        .add(
            Operation::get("/products/{sku}", "readProduct", Access::Public, contract::describe_get),
            get_product,
        )
        .add(Operation::put("/products/{sku}", "putProduct", staff, contract::describe_put), put_product)
        .add(
            Operation::put(
                "/products/{sku}/deliveries/{delivery_id}",
                "putDelivery",
                staff,
                contract::describe_delivery,
            ),
            put_delivery,
        )
        .add(
            Operation::get(
                reservation,
                "readReservation",
                Access::Service,
                contract::describe_get_reservation,
            ),
            get_reservation,
        )
        .add(
            Operation::put(reservation, "putReservation", Access::Service, contract::describe_reserve),
            reserve,
        )
        .add(
            Operation::post(
                "/reservations/{order_id}/commit",
                "commitReservation",
                Access::Service,
                contract::describe_commit,
            ),
            commit,
        )
        .add(
            Operation::post(
                "/reservations/{order_id}/release",
                "releaseReservation",
                Access::Service,
                contract::describe_release,
            ),
            release,
        )
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
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
            match command.decide(order, read.as_ref(), &stock, self.clock.now()) {
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
