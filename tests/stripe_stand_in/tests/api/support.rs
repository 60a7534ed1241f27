//! A server for each test, and its client.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use stripe_stand_in::{Account, DEFAULT_KEY, StandIn, router, serve};
use tokio::net::TcpListener;

/// A response of the server.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Returns the string at a JSON pointer; empty if there is none.
    pub(crate) fn at(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text);
        self.at("/id").to_owned()
    }
}

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    base: String,
    client: Client<HttpConnector, Body>,
}

impl Api {
    /// Starts a new server on a free port; it ends with the test.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self::at(listener.local_addr().unwrap().port());
        let stand_in = Arc::new(StandIn::new(vec![DEFAULT_KEY.to_owned()], Account::default()));
        tokio::spawn(serve(listener, router(stand_in), std::future::pending()));
        api
    }

    /// Returns a client of a running server.
    pub(crate) fn at(port: u16) -> Self {
        // No pool: each request has its own connection, so closing one does not affect the others.
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { base: format!("http://127.0.0.1:{port}"), client }
    }

    /// Sends a request without changes. Returns `Err` if there is no response.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Reply, String> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or_default();
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, text, body })
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[bearer()], "").await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Reply {
        self.try_post(path, form, None).await.unwrap()
    }

    pub(crate) async fn post_with_key(&self, path: &str, form: &str, key: &str) -> Reply {
        self.try_post(path, form, Some(key)).await.unwrap()
    }

    /// Sends a POST request. Returns `Err` if there is no response.
    pub(crate) async fn try_post(&self, path: &str, form: &str, key: Option<&str>) -> Result<Reply, String> {
        let mut headers =
            vec![bearer(), (header::CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")];
        headers.extend(key.map(|key| ("idempotency-key", key)));
        self.send(Method::POST, path, &headers, form).await
    }

    /// Creates a PaymentIntent of 12.50 EUR for an order, with this card, without confirming it.
    pub(crate) async fn create_intent(&self, order_id: &str, card: &str) -> String {
        self.post("/v1/payment_intents", &intent_form(order_id, card)).await.id()
    }

    pub(crate) async fn confirm(&self, id: &str) -> Reply {
        self.post(&format!("/v1/payment_intents/{id}/confirm"), "").await
    }

    pub(crate) async fn status_of(&self, id: &str) -> String {
        self.get(&format!("/v1/payment_intents/{id}")).await.at("/status").to_owned()
    }

    pub(crate) async fn add_fault(&self, fault: Value) -> u64 {
        let json = [("content-type", "application/json")];
        let reply = self.send(Method::POST, "/_control/faults", &json, &fault.to_string()).await.unwrap();
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.body["id"].as_u64().unwrap()
    }

    /// Returns the charges of an order, from the control API.
    pub(crate) async fn charges(&self, order_id: &str) -> Vec<Value> {
        self.control(&format!("/_control/charges?order_id={order_id}")).await
    }

    /// Returns a list from the control API, which needs no API key.
    pub(crate) async fn control(&self, path: &str) -> Vec<Value> {
        let reply = self.send(Method::GET, path, &[], "").await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body.as_array().unwrap().clone()
    }
}

pub(crate) fn intent_form(order_id: &str, card: &str) -> String {
    format!(
        "amount=1250&currency=eur&payment_method={card}&payment_method_types[]=card&metadata[order_id]={order_id}"
    )
}

pub(crate) fn bearer() -> (&'static str, &'static str) {
    ("authorization", "Bearer sk_test_local")
}
