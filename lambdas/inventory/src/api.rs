//! `inventory-api`: products, stock and reservations.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use domain::reservation::{self, Decision, Reservation};
use domain::{DeliveryId, Lines, OrderId, Sku};
use platform::Clock;
use platform::http::input::{PageInput, cursor};
use platform::http::{Json, Problem, path_parameter};
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
    Router::new()
        .route("/products", get(list_products))
        .route("/products/{sku}", get(read_product).put(put_product))
        .route("/products/{sku}/deliveries/{delivery_id}", put(deliver))
        .route("/reservations/{order_id}", get(read_reservation).put(reserve))
        .route("/reservations/{order_id}/commit", post(commit))
        .route("/reservations/{order_id}/release", post(release))
        .with_state(Arc::new(api))
}

#[derive(Debug, Deserialize)]
struct ListQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

#[derive(Debug, Serialize)]
struct ListView {
    products: Vec<Product>,
    next_cursor: Option<String>,
}

async fn list_products(
    State(api): State<Arc<Api>>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let page = PageInput::read(query.limit.as_deref(), query.cursor.as_deref()).map_err(Problem::invalid)?;
    let page = api.products.list(page.after.as_ref(), page.limit).await?;
    Ok(Json(ListView { products: page.products, next_cursor: page.next.as_ref().map(cursor) })
        .into_response())
}

async fn read_product(State(api): State<Arc<Api>>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku: Sku = path_parameter("sku", &sku)?;
    let product = api.products.get(&sku).await?.ok_or_else(|| no_product(&sku))?;
    Ok(Json(product).into_response())
}

fn no_product(sku: &Sku) -> Problem {
    Problem::not_found(format!("There is no product {sku}. PUT /products/{sku} makes one."))
}

async fn put_product(
    State(api): State<Arc<Api>>,
    Path(sku): Path<String>,
    body: Json<PutProduct>,
) -> Result<Response, Problem> {
    let sku: Sku = path_parameter("sku", &sku)?;
    let product = api.products.put(&sku, &body.0.name, body.0.price()).await?;
    Ok(Json(product).into_response())
}

async fn deliver(
    State(api): State<Arc<Api>>,
    Path((sku, delivery)): Path<(String, String)>,
    body: Json<PutDelivery>,
) -> Result<Response, Problem> {
    let sku: Sku = path_parameter("sku", &sku)?;
    let delivery: DeliveryId = path_parameter("delivery_id", &delivery)?;
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
    Ok(Json(product).into_response())
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
    let order = path_parameter("order_id", text)?;
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
                Decision::AsItIs(reservation) => return Ok(answer(&reservation)),
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
        self.clock.sleep(most.mul_f64(self.clock.chance())).await;
    }
}

fn answer(reservation: &Reservation) -> Response {
    Json(reservation).into_response()
}
