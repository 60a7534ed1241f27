//! The public interface of the stack.

use anyhow::Context;
use aws::{Aws, SignedClient, UnsignedClient};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use platform::http_client::HttpClient;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::requirements::is_local;
use crate::test_data::{simulator_address, unique_name};
use crate::{WAIT_TIMEOUT, wait_for};

/// The stack under test.
pub struct Stack {
    /// The AWS clients for the stack's account.
    pub aws: Aws,
    /// The name of the stack, which prefixes the names of its resources.
    pub name: String,
    pub(crate) client: UnsignedClient,
    signed: SignedClient,
    pub(crate) outputs: Value,
    pub(crate) machine_bearer: OnceCell<String>,
    api: String,
    pub(crate) stripe: String,
    /// The URL of the emulator; `None` on a stack that is accessed only through its public interface.
    pub(crate) emulator: Option<String>,
}

/// A response of the API.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct ApiResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// The body as JSON; a string if it is not JSON.
    pub body: Value,
}

/// A product. Each test uses its own, so that tests do not share stock.
#[derive(Debug, Clone)]
pub struct Product {
    /// The product id.
    pub sku: String,
    /// The unit price in euro cents.
    pub cents: u32,
}

/// An order to be placed.
#[derive(Debug, Clone)]
pub struct NewOrder {
    /// The body of `POST /orders`.
    pub body: Value,
    /// The customer's email address, which is unique to the order.
    pub email: String,
}

impl NewOrder {
    /// Creates an order of one product, paid with `payment_method`.
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
        format!("{name} is not set. Run these tests with `cargo xtask test end-to-end`, which starts a stack for them, or with `shopctl verify`")
    })
}

impl Stack {
    /// Returns the stack that the environment variables describe.
    ///
    /// # Errors
    /// When one of the variables is missing or invalid.
    pub fn from_env() -> anyhow::Result<Self> {
        let aws = Aws::from_env()?;
        Ok(Self {
            signed: aws.signed_client("execute-api"),
            aws,
            name: env_variable("E2E_STACK_NAME")?,
            client: UnsignedClient::new(std::time::Duration::from_secs(30)),
            outputs: serde_json::from_str(&env_variable("E2E_OUTPUTS")?)
                .context("E2E_OUTPUTS is not JSON")?,
            machine_bearer: OnceCell::new(),
            api: env_variable("E2E_API_URL")?,
            stripe: env_variable("E2E_STRIPE_URL")?,
            emulator: is_local().then(|| env_variable("E2E_EMULATOR_URL")).transpose()?,
        })
    }

    /// Returns whether this is the local stack, where tests can use more than the public interface.
    pub fn is_local(&self) -> bool {
        self.emulator.is_some()
    }

    /// Sends a request to the API. Without an `authorization` header, it uses the credentials of the shop's
    /// machine client; with an empty one, it sends no credentials.
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

    /// Sends a request with any body, including one that is not JSON.
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

    /// Sends a `GET` request and returns the response with its raw body, for documents. `authorization` as in
    /// [`Stack::api`].
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

    /// Gets a URL from a response, without credentials.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn get_url(&self, url: &str) -> anyhow::Result<http::Response<Bytes>> {
        Ok(self.client.send(self.request(Method::GET, url, "", &[], Bytes::new())?).await?)
    }

    /// Sends a request to the API, signed with SigV4 as the functions of the stack do.
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

    /// Creates a product with this many units in stock.
    ///
    /// # Errors
    /// When the API rejects it.
    pub async fn create_product(&self, cents: u32, units: u32) -> anyhow::Result<Product> {
        let product = Product { sku: unique_name(), cents };
        self.add_stock(&product, units).await?;
        Ok(product)
    }

    /// Sets the name and price of a product, and records a stock delivery of this many units.
    ///
    /// # Errors
    /// When the API rejects a request.
    pub async fn add_stock(&self, product: &Product, units: u32) -> anyhow::Result<()> {
        let path = format!("/products/{}", product.sku);
        let body = json!({ "name": "Darjeeling", "price": { "amount": product.cents, "currency": "EUR" } });
        self.api(Method::PUT, &path, &[], Some(&body)).await?.expect(StatusCode::OK)?;
        if units > 0 {
            let path = format!("{path}/deliveries/{}", Uuid::new_v4());
            let body = json!({ "quantity": units });
            self.api(Method::PUT, &path, &[], Some(&body)).await?.expect(StatusCode::OK)?;
        }
        Ok(())
    }

    /// Returns the stock of a product: available, held, sold.
    ///
    /// # Errors
    /// When the API does not return it.
    pub async fn stock(&self, product: &Product) -> anyhow::Result<(u64, u64, u64)> {
        let response = self.api(Method::GET, &format!("/products/{}", product.sku), &[], None).await?;
        let body = response.expect(StatusCode::OK)?.body;
        let count = |name: &str| body[name].as_u64().with_context(|| format!("no {name} in {body}"));
        Ok((count("available")?, count("held")?, count("sold")?))
    }

    /// Places an order, and returns its id.
    ///
    /// # Errors
    /// When the API rejects it.
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

    /// Returns the status of an order.
    ///
    /// # Errors
    /// When the API does not return it.
    pub async fn order_status(&self, order: &str) -> anyhow::Result<String> {
        let response =
            self.api(Method::GET, &format!("/orders/{order}"), &[], None).await?.expect(StatusCode::OK)?;
        Ok(response.body["status"].as_str().context("an order without a status")?.to_owned())
    }

    /// Waits until an order has this status.
    pub async fn wait_for_status(&self, order: &str, status: &str) {
        let what = format!("order {order} to become {status}");
        wait_for(&what, WAIT_TIMEOUT, async || Ok((self.order_status(order).await? == status).then_some(())))
            .await;
    }

    /// Waits until a product has this stock: available, held, sold.
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

    /// Returns the response if it has this status.
    ///
    /// # Errors
    /// When it has another status.
    pub fn expect(self, status: StatusCode) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status == status, "expected {status}, got {self:?}");
        Ok(self)
    }

    /// Returns the locations of the errors in a problem document, such as `/lines/0/quantity`.
    pub fn error_locations(&self) -> Vec<String> {
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let location = |error: &Value| {
            let name = ["pointer", "header", "parameter"].into_iter().find_map(|kind| error[kind].as_str());
            name.unwrap_or("?").to_owned()
        };
        errors.iter().map(location).collect()
    }
}
