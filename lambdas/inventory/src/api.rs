//! `inventory-api`: products, stock and reservations.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use domain::reservation::{self, Decision, Reservation};
use domain::{DeliveryId, Lines, OrderId, Sku};
use platform::Clock;
use platform::http::input::{Cursor, Limit, PageInput, encode_cursor};
use platform::http::precondition::{IfMatch, IfNoneMatch, with_etag};
use platform::http::{
    Access, Json, Operation, OperationDescription, Precondition, Problem, Routes, Scope, parse_path_parameter,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::product::Product;
use crate::request::{PutDelivery, PutProduct, PutReservation};
use crate::store::{Delivered, Products, Reservations};

/// How often a reservation is decided again when others were faster with the same stock.
const TRIES: u32 = 8;

/// What the routes work on.
pub struct Api {
    /// The products.
    pub products: Arc<dyn Products>,
    /// The reservations.
    pub reservations: Arc<dyn Reservations>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::InventoryWrite);
    let reservation = "/reservations/{order_id}";
    Routes::default()
        .add(Operation::get("/products", "listProducts", Access::Public, about_products), list_products)
        .add(Operation::get("/products/{sku}", "readProduct", Access::Public, about_product), read_product)
        .add(Operation::put("/products/{sku}", "putProduct", staff, about_put_product), put_product)
        .add(
            Operation::put("/products/{sku}/deliveries/{delivery_id}", "putDelivery", staff, about_delivery),
            deliver,
        )
        .add(
            Operation::get(reservation, "readReservation", Access::Service, about_reservation),
            read_reservation,
        )
        .add(Operation::put(reservation, "putReservation", Access::Service, about_reserve), reserve)
        .add(
            Operation::post(
                "/reservations/{order_id}/commit",
                "commitReservation",
                Access::Service,
                about_commit,
            ),
            commit,
        )
        .add(
            Operation::post(
                "/reservations/{order_id}/release",
                "releaseReservation",
                Access::Service,
                about_release,
            ),
            release,
        )
}

const REVISION: &str = "The product's revision, for `If-Match`.";

fn about_products(it: &mut OperationDescription) {
    it.about("List the products", "In no order that means anything, a page at a time.")
        .query::<Limit>("limit", "The most products on a page: 20 where it is left out.")
        .query::<Cursor>("cursor", "The `next_cursor` of the page before.")
        .response::<ListView>(200, "A page.");
}

fn about_product(it: &mut OperationDescription) {
    it.about("Read a product", "Its price, and how many pieces can be ordered.")
        .path::<Sku>("sku", "Which.")
        .response::<Product>(200, "The product.")
        .with_header("ETag", REVISION)
        .problem(404, "not-found", "There is no such product.");
}

fn about_put_product(it: &mut OperationDescription) {
    it.about(
        "Name and price a product",
        "Makes it, if it is not there. The `ETag` counts changes of name and price alone: stock moves without it.",
    )
    .path::<Sku>("sku", "Which.")
    .header::<IfMatch>("If-Match", "Only if nobody else changed it: the `ETag` that reading it gave. `*` for any.")
    .header::<IfNoneMatch>("If-None-Match", "`*`: only if it is not there yet.")
    .body::<PutProduct>()
    .response::<Product>(200, "The product, as it is now.")
    .with_header("ETag", REVISION)
    .problem(412, "precondition-failed", "It changed in between, or is there, or is not. Read it again.");
}

fn about_delivery(it: &mut OperationDescription) {
    it.about("Count a delivery in", "Once, however often it is told.")
        .path::<Sku>("sku", "Which product.")
        .path::<DeliveryId>("delivery_id", "A name for the delivery: the same one counts once.")
        .body::<PutDelivery>()
        .response::<Product>(200, "The product, as it is now.")
        .with_header("ETag", REVISION)
        .problem(404, "not-found", "There is no such product.")
        .problem(409, "delivery-differs", "The delivery was counted before, with another quantity.")
        .problem(409, "stock-too-large", "There would be more pieces than can be counted.");
}

const ORDER_ID: &str = "The order that it is for.";

fn about_reservation(it: &mut OperationDescription) {
    it.about("Read what is set aside for an order", "")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "The reservation.")
        .problem(404, "not-found", "There is none for this order.");
}

fn about_reserve(it: &mut OperationDescription) {
    it.about(
        "Set stock aside for an order",
        "All of it or nothing: the answer's `state` is `held` or `rejected`. Asking again gives the same answer.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .body::<PutReservation>()
    .response::<Reservation>(200, "What was decided.");
}

fn about_commit(it: &mut OperationDescription) {
    it.about("Sell what is set aside", "Asking again gives the same answer.")
        .path::<OrderId>("order_id", ORDER_ID)
        .response::<Reservation>(200, "It is sold.")
        .problem(409, "reservation-final", "Nothing is held for this order.");
}

fn about_release(it: &mut OperationDescription) {
    it.about(
        "Set free what is set aside",
        "Where nothing is, nothing ever will be for this order. Asking again gives the same answer.",
    )
    .path::<OrderId>("order_id", ORDER_ID)
    .response::<Reservation>(200, "It is free.")
    .problem(409, "reservation-final", "It is sold.");
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductPage")]
struct ListView {
    /// In no order that means anything.
    products: Vec<Product>,
    /// Where the next page starts; null on the last one.
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

async fn read_product(State(api): State<Arc<Api>>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let product = api.products.get(&sku).await?.ok_or_else(|| no_product(&sku))?;
    Ok(product_answer(product))
}

fn product_answer(product: Product) -> Response {
    with_etag(product.revision, Json(product))
}

fn no_product(sku: &Sku) -> Problem {
    Problem::not_found(format!("There is no product {sku}. PUT /products/{sku} makes one."))
}

async fn put_product(
    State(api): State<Arc<Api>>,
    Path(sku): Path<String>,
    condition: Precondition,
    body: Json<PutProduct>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let put = api.products.put(&sku, &body.0.into(), condition).await?;
    let product = put.ok_or_else(|| {
        Problem::precondition_failed(format!(
            "{sku} is not as If-Match or If-None-Match says. Read it again."
        ))
    })?;
    Ok(product_answer(product))
}

async fn deliver(
    State(api): State<Arc<Api>>,
    Path((sku, delivery)): Path<(String, String)>,
    body: Json<PutDelivery>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let delivery: DeliveryId = parse_path_parameter("delivery_id", &delivery)?;
    let quantity = body.0.quantity()?;
    match api.products.deliver(&sku, &delivery, quantity).await? {
        Delivered::Counted => {}
        Delivered::OtherQuantity => {
            let detail = format!("The delivery {delivery} of {sku} was counted with another quantity.");
            return Err(Problem::conflict("delivery-differs", "The delivery was counted before", detail));
        }
        Delivered::Refused if api.products.get(&sku).await?.is_none() => return Err(no_product(&sku)),
        Delivered::Refused => {
            let detail = format!("{sku} would have more pieces than can be counted.");
            return Err(Problem::conflict("stock-too-large", "Too many pieces", detail));
        }
    }
    let product = api.products.get(&sku).await?.ok_or_else(|| no_product(&sku))?;
    Ok(product_answer(product))
}

async fn read_reservation(
    State(api): State<Arc<Api>>,
    Path(order): Path<String>,
) -> Result<Response, Problem> {
    let order = order_of(&order)?;
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
    let order = order_of(&order)?;
    let lines = body.0.lines()?;
    api.decide(order, Wish::Reserve(lines)).await
}

async fn commit(State(api): State<Arc<Api>>, Path(order): Path<String>) -> Result<Response, Problem> {
    api.decide(order_of(&order)?, Wish::Commit).await
}

async fn release(State(api): State<Arc<Api>>, Path(order): Path<String>) -> Result<Response, Problem> {
    api.decide(order_of(&order)?, Wish::Release).await
}

fn order_of(text: &str) -> Result<OrderId, Problem> {
    let order = parse_path_parameter("order_id", text)?;
    tracing::Span::current().record("order_id", text);
    Ok(order)
}

enum Wish {
    Reserve(Lines),
    Commit,
    Release,
}

impl Api {
    /// Reads, decides and writes, again and again until nobody else was faster. Repeating a wish gives the
    /// answer that it had.
    async fn decide(&self, order: OrderId, wish: Wish) -> Result<Response, Problem> {
        for attempt in 1..=TRIES {
            let read = self.reservations.get(order).await?;
            let decision = match &wish {
                Wish::Reserve(lines) => {
                    // What is decided already does not depend on the stock.
                    let skus: Vec<Sku> = lines.iter().map(|line| line.sku.clone()).collect();
                    let stock = if read.is_none() {
                        self.reservations.on_sale(&skus).await?
                    } else {
                        Default::default()
                    };
                    reservation::reserve(read.as_ref(), order, lines, &stock)
                }
                Wish::Commit => reservation::commit(read.as_ref(), order),
                Wish::Release => reservation::release(read.as_ref(), order),
            };
            match decision {
                Decision::Unchanged(reservation) => return Ok(answer(&reservation)),
                Decision::Refuse(why) => {
                    tracing::error!(why, "a reservation was asked for what can never be");
                    return Err(Problem::conflict(
                        "reservation-final",
                        "The reservation cannot become that",
                        why,
                    ));
                }
                Decision::Write { reservation, changes } => {
                    if self.reservations.write(read.as_ref(), &reservation, &changes).await? {
                        return Ok(answer(&reservation));
                    }
                }
            }
            self.wait(attempt).await;
        }
        Err(anyhow::anyhow!("others were faster with the stock {TRIES} times").into())
    }

    /// Up to 20 ms, doubling each time: many orders for one product should not meet again at once.
    async fn wait(&self, attempt: u32) {
        let most = Duration::from_millis(10).saturating_mul(1 << attempt.min(6));
        self.clock.sleep(most.mul_f64(self.clock.random())).await;
    }
}

fn answer(reservation: &Reservation) -> Response {
    Json(reservation).into_response()
}
