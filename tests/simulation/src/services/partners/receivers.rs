//! The receivers of webhooks: most accept every request, some fail for a while, answer too late or not at all.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::Timestamp;
use platform::Clock;
use platform::clock::timeout;
use platform::http_client::{HttpClient, NoResponse};
use platform::lock;
use serde_json::Value;

use crate::ports::Ports;
use crate::world::World;

/// How long `deliver-webhook` waits for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How a receiver responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// It accepts every request.
    Accepts,
    /// It responds with 500, or not at all, to most requests while faults occur.
    Fails,
    /// It accepts requests, but often responds too late while faults occur.
    IsSlow,
    /// It never accepts a request.
    IsBroken,
    /// It responds with 410.
    IsGone,
}

/// A request that a receiver got.
#[derive(Debug, Clone)]
pub struct Received {
    /// The URL of the receiver.
    pub url: String,
    /// The header `webhook-id`.
    pub id: String,
    /// The header `webhook-timestamp`.
    pub timestamp: i64,
    /// The header `webhook-signature`.
    pub signature: String,
    /// The body, which its signature covers.
    pub body: String,
    /// The body as JSON.
    pub payload: Value,
    /// When it arrived.
    pub at: Timestamp,
    /// Whether the receiver accepted it.
    pub is_accepted: bool,
}

/// All receivers, and the requests that they got.
#[derive(Default)]
pub struct Receivers {
    behaviors: Mutex<BTreeMap<String, Behavior>>,
    received: Mutex<Vec<Received>>,
}

impl Receivers {
    /// Sets up a receiver.
    pub fn add(&self, url: &str, behavior: Behavior) {
        lock(&self.behaviors).insert(url.to_owned(), behavior);
    }

    /// The behaviour of the receiver with this URL, if there is one.
    pub fn behavior(&self, url: &str) -> Option<Behavior> {
        lock(&self.behaviors).get(url).copied()
    }

    /// The requests received so far, the oldest first.
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// Receives a request. Returns the response, if there is one, and the time until it is sent.
    fn receive(&self, world: &World, request: &Request<Bytes>) -> (Option<StatusCode>, Duration) {
        let url = request.uri().to_string();
        let Some(behavior) = self.behavior(&url) else {
            world.report_violation(format!("a webhook is sent to {url}, where nobody receives any"));
            return (None, Duration::ZERO);
        };
        let has_faults = world.sim.rates().is_some();
        let (roll, delay) =
            world.sim.random(|rng| (rng.u8(0..10), Duration::from_millis(rng.u64(0..20_000))));
        let (status, delay) = match behavior {
            Behavior::Fails if has_faults && roll < 5 => {
                (Some(StatusCode::INTERNAL_SERVER_ERROR), Duration::ZERO)
            }
            Behavior::Fails if has_faults && roll < 8 => (None, Duration::ZERO),
            Behavior::IsSlow if has_faults => (Some(StatusCode::OK), delay),
            Behavior::Accepts | Behavior::Fails | Behavior::IsSlow => (Some(StatusCode::OK), Duration::ZERO),
            Behavior::IsBroken => (Some(StatusCode::BAD_GATEWAY), Duration::ZERO),
            Behavior::IsGone => (Some(StatusCode::GONE), Duration::ZERO),
        };
        let body = String::from_utf8_lossy(request.body()).into_owned();
        lock(&self.received).push(Received {
            url,
            id: header(request.headers(), "webhook-id"),
            timestamp: header(request.headers(), "webhook-timestamp").parse().unwrap_or_default(),
            signature: header(request.headers(), "webhook-signature"),
            payload: serde_json::from_str(&body).unwrap_or_default(),
            body,
            at: world.sim.now(),
            is_accepted: status.is_some_and(|status| status.is_success()),
        });
        (status, delay)
    }
}

fn header(headers: &HeaderMap, name: &str) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

/// The client with which `deliver-webhook` sends requests to receivers.
pub(super) struct Sender(pub(super) Ports);

#[async_trait]
impl HttpClient for Sender {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let host = request.uri().host().unwrap_or_default().to_owned();
        let world = std::sync::Arc::clone(&self.0.world);
        let caller = &self.0.caller;
        let respond = async {
            let call = caller
                .call("receiver.post", move || world.parts.partners.receivers.receive(&world, &request));
            let (status, delay) = call.await.ok()?;
            caller.sleep(delay).await;
            status
        };
        let no_response = || NoResponse { host, source: "no response".into() };
        let status = timeout(caller, RESPONSE_TIMEOUT, respond).await.flatten().ok_or_else(no_response)?;
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        Ok(response)
    }
}
