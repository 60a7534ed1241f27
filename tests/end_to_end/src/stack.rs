//! The stack's outside.

use anyhow::Context;
use aws::{Aws, SignedClient, UnsignedClient};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use platform::http::client::HttpClient;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::requirements::is_local;
use crate::test_data::{simulator_address, unique_name};
use crate::{WAIT_TIMEOUT, wait_for};

/// The stack under test.
pub struct Stack {
    /// Its AWS.
    pub aws: Aws,
    /// What its resources' names start with.
    pub name: String,
    pub(crate) client: UnsignedClient,
    signed: SignedClient,
    pub(crate) outputs: Value,
    pub(crate) machine_bearer: OnceCell<String>,
    api: String,
    pub(crate) stripe: String,
    /// None on a stack that is reached through its public interface alone.
    pub(crate) emulator: Option<String>,
}

/// An response of the API.
#[derive(Debug, Clone)]
pub struct ApiResponse {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null where it is no JSON.
    pub body: Value,
}

/// A product of its own for each test, so that tests do not share stock.
#[derive(Debug, Clone)]
pub struct Product {
    /// Its name.
    pub sku: String,
    /// The price of one, in euro cents.
    pub cents: u32,
}

/// What is ordered.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The body of `POST /orders`.
    pub body: Value,
    /// The customer's address: one of its own for each order.
    pub email: String,
}

impl NewOrder {
    /// So many of a product, to be paid with `payment_method`.
    pub fn new(product: &Product, quantity: u32, payment_method: &str) -> Self {
        let customer = Uuid::new_v4().simple().to_string();
        let email = simulator_address(&customer);
        let body = json!({
            "customer": { "id": customer, "name": "Ada Lovelace", "email": email },
            "payment_method": payment_method,
            "lines": [{
                "sku": product.sku,
                "quantity": quantity,
                "unit_price": { "amount": product.cents, "currency": "EUR" },
            }],
        });
        Self { body, email }
    }
}

pub(crate) fn env_variable(name: &str) -> anyhow::Result<String> {
    std::env::var(name).with_context(|| {
        format!("{name} is not set. Run these tests with `cargo xtask test end-to-end`, which starts a stack for them, or with `cargo xtask verify`")
    })
}

impl Stack {
    /// The stack that the environment names.
    ///
    /// # Errors
    /// When it names none.
    pub fn from_env() -> anyhow::Result<Self> {
        let aws = Aws::from_env()?;
        Ok(Self {
            signed: aws.signed_client("execute-api"),
            aws,
            name: env_variable("E2E_STACK_NAME")?,
            client: UnsignedClient::new(std::time::Duration::from_secs(30)),
            outputs: serde_json::from_str(&env_variable("E2E_OUTPUTS")?).context("E2E_OUTPUTS is no JSON")?,
            machine_bearer: OnceCell::new(),
            api: env_variable("E2E_API_URL")?,
            stripe: env_variable("E2E_STRIPE_URL")?,
            emulator: is_local().then(|| env_variable("E2E_EMULATOR_URL")).transpose()?,
        })
    }

    /// Whether this is the stack on this machine, of which tests may use more than its public interface.
    pub fn is_local(&self) -> bool {
        self.emulator.is_some()
    }

    /// A request to the API. Where the headers name no `authorization`, it is one of the shop's own programs that asks;
    /// where that is empty, nobody.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn api(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> anyhow::Result<ApiResponse> {
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send_raw(method, path, headers, body.into()).await
    }

    /// A request with any body, also one that is no JSON.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<ApiResponse> {
        let mut headers = headers.to_vec();
        let machine;
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            machine = self.machine_authorization().await?;
            headers.push(("authorization", machine.as_str()));
        }
        headers.retain(|(name, value)| *name != "authorization" || !value.is_empty());
        let request = self.request(method, &self.api, path, &headers, body)?;
        ApiResponse::read(self.client.send(request).await?)
    }

    /// An response to a `GET` as it came, byte by byte: for documents. `authorization` as in [`Stack::api`].
    ///
    /// # Errors
    /// When there is no response.
    pub async fn get_document(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> anyhow::Result<http::Response<Bytes>> {
        let mut headers = headers.to_vec();
        let machine = self.machine_authorization().await?;
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            headers.push(("authorization", machine.as_str()));
        }
        Ok(self.client.send(self.request(Method::GET, &self.api, path, &headers, Bytes::new())?).await?)
    }

    /// What is at an address that an response gave, for who has nothing but the address.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn get_url(&self, address: &str) -> anyhow::Result<http::Response<Bytes>> {
        Ok(self.client.send(self.request(Method::GET, address, "", &[], Bytes::new())?).await?)
    }

    /// A request to the API, signed as the stack's own functions sign theirs.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send_signed(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<ApiResponse> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = self.request(method, &self.api, path, &[], body.into())?;
        ApiResponse::read(self.signed.send(request).await?)
    }

    pub(crate) fn api_request(&self, method: Method, path: &str) -> anyhow::Result<Request<Bytes>> {
        self.request(method, &self.api, path, &[], Bytes::new())
    }

    pub(crate) fn request(
        &self,
        method: Method,
        base: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> anyhow::Result<Request<Bytes>> {
        let mut request = Request::builder().method(method).uri(format!("{base}{path}"));
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Ok(request.body(body)?)
    }

    /// A new product with so many pieces in stock.
    ///
    /// # Errors
    /// When the API does not make it.
    pub async fn create_product(&self, cents: u32, pieces: u32) -> anyhow::Result<Product> {
        let product = Product { sku: unique_name(), cents };
        self.add_stock(&product, pieces).await?;
        Ok(product)
    }

    /// Names and prices a product, and delivers so many pieces of it.
    ///
    /// # Errors
    /// When the API does not do it.
    pub async fn add_stock(&self, product: &Product, pieces: u32) -> anyhow::Result<()> {
        let path = format!("/products/{}", product.sku);
        let body = json!({ "name": "Darjeeling", "price": { "amount": product.cents, "currency": "EUR" } });
        self.api(Method::PUT, &path, &[], Some(&body)).await?.expect(StatusCode::OK)?;
        if pieces > 0 {
            let path = format!("{path}/deliveries/{}", Uuid::new_v4());
            let body = json!({ "quantity": pieces });
            self.api(Method::PUT, &path, &[], Some(&body)).await?.expect(StatusCode::OK)?;
        }
        Ok(())
    }

    /// Stock of a product: available, held, sold.
    ///
    /// # Errors
    /// When the API does not tell.
    pub async fn stock(&self, product: &Product) -> anyhow::Result<(u64, u64, u64)> {
        let response = self.api(Method::GET, &format!("/products/{}", product.sku), &[], None).await?;
        let body = response.expect(StatusCode::OK)?.body;
        let count = |name: &str| body[name].as_u64().with_context(|| format!("no {name} in {body}"));
        Ok((count("available")?, count("held")?, count("sold")?))
    }

    /// Places an order, and gives back its id.
    ///
    /// # Errors
    /// When the API does not take it.
    pub async fn place_order(&self, order: &NewOrder) -> anyhow::Result<String> {
        let response = self
            .place_order_with_key(order, &Uuid::new_v4().to_string())
            .await?
            .expect(StatusCode::CREATED)?;
        Ok(response.body["id"].as_str().context("an order without an id")?.to_owned())
    }

    /// Sends `POST /orders` with this idempotency key.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn place_order_with_key(&self, order: &NewOrder, key: &str) -> anyhow::Result<ApiResponse> {
        self.api(Method::POST, "/orders", &[("idempotency-key", key)], Some(&order.body)).await
    }

    /// An order's status.
    ///
    /// # Errors
    /// When the API does not tell.
    pub async fn order_status(&self, order: &str) -> anyhow::Result<String> {
        let response =
            self.api(Method::GET, &format!("/orders/{order}"), &[], None).await?.expect(StatusCode::OK)?;
        Ok(response.body["status"].as_str().context("an order without a status")?.to_owned())
    }

    /// Waits until an order has a status.
    pub async fn wait_for_status(&self, order: &str, status: &str) {
        let what = format!("order {order} to become {status}");
        wait_for(&what, WAIT_TIMEOUT, async || Ok((self.order_status(order).await? == status).then_some(())))
            .await;
    }

    /// Waits until the stock of a product is so: available, held, sold.
    pub async fn wait_for_stock(&self, product: &Product, stock: (u64, u64, u64)) {
        let what = format!("the stock of {} to become {stock:?}", product.sku);
        wait_for(&what, WAIT_TIMEOUT, async || Ok((self.stock(product).await? == stock).then_some(()))).await;
    }
}

impl ApiResponse {
    pub(crate) fn read(response: http::Response<Bytes>) -> anyhow::Result<Self> {
        let (parts, body) = response.into_parts();
        Ok(Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&body).into_owned().into()),
        })
    }

    /// The response, if it has this status.
    ///
    /// # Errors
    /// When it has another.
    pub fn expect(self, status: StatusCode) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status == status, "wanted {status}, got {self:?}");
        Ok(self)
    }

    /// The places that a problem names, such as `/lines/0/quantity`.
    pub fn error_locations(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let place = |error: &Value| {
            let name = ["pointer", "header", "parameter"].into_iter().find_map(|kind| error[kind].as_str());
            name.unwrap_or("?").to_owned()
        };
        errors.iter().map(place).collect()
    }
}
