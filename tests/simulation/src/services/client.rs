//! The clients of the services: requests that are repeated until they get a response that is not a server error.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use platform::Clock;
use platform::clock::timeout;
use platform::http::testing::set_caller;
use platform::http::{Caller, Scope};
use serde_json::Value;

use crate::lambda;
use crate::ports::Ports;
use crate::run::MORNING_MINUTES;
use crate::world::World;

/// How long after the start of the next morning its faults are over.
pub const AFTER_FAULTS: Duration = Duration::from_secs(60 * (MORNING_MINUTES as u64 + 1));
/// How long Cognito waits for a trigger.
const TRIGGER_TIMEOUT: Duration = Duration::from_secs(5);
/// The maximum number of attempts of a client.
const MAX_ATTEMPTS: u32 = 12;

/// A request to a function behind the API.
pub struct ApiRequest<'a> {
    /// The binary name of the function.
    pub function: &'static str,
    /// The authenticated caller.
    pub caller: Caller,
    /// The method of the HTTP request.
    pub method: Method,
    /// The path without the stage.
    pub path: &'a str,
    /// The value of the header `Idempotency-Key` or `If-Match`, by name.
    pub header: Option<(&'static str, &'a str)>,
    /// The body; null for none.
    pub body: Value,
}

impl ApiRequest<'_> {
    fn build(&self) -> http::Result<Request<Bytes>> {
        let mut request = Request::builder().method(self.method.clone()).uri(self.path);
        if let Some((name, value)) = self.header {
            request = request.header(name, value);
        }
        let mut request = if self.body.is_null() {
            request.body(Bytes::new())?
        } else {
            request.header("content-type", "application/json").body(Bytes::from(self.body.to_string()))?
        };
        set_caller(&mut request, self.caller.clone());
        Ok(request)
    }

    /// Sends the request once. `None` if no response arrives in time.
    pub async fn send_once(&self, ports: &Ports) -> Option<Response<Bytes>> {
        let request = self.build().ok()?;
        ports.request_in_time(self.function, request).await
    }

    /// Sends the request until the response is not a server error, and returns it with its body. `None` if there
    /// is none after the last attempt.
    pub async fn send(&self, ports: &Ports) -> Option<(StatusCode, Value)> {
        for attempt in 1..=MAX_ATTEMPTS {
            let response = self.send_once(ports).await;
            let status = response.as_ref().map(Response::status);
            ports.caller.log(|| format!("{} {} returned {status:?}", self.method, self.path));
            // A client that has lost its connection sends the request again, although it was handled.
            let is_lost = ports.caller.sim.should_inject(|rates| rates.disconnect);
            match response.filter(|_| !is_lost) {
                Some(response) if !response.status().is_server_error() => {
                    let body = serde_json::from_slice(response.body()).unwrap_or_default();
                    return Some((response.status(), body));
                }
                _ => ports.caller.sleep(Duration::from_secs(2).saturating_mul(attempt)).await,
            }
        }
        None
    }
}

/// A partner with all of its scopes.
pub fn partner(id: &str) -> Caller {
    machine(id, &[Scope::PartnerOrders, Scope::PartnerWebhooks])
}

/// A machine client with these scopes.
pub fn machine(id: &str, scopes: &[Scope]) -> Caller {
    match id.parse() {
        Ok(id) => Caller::Machine { id, scopes: scopes.iter().copied().collect() },
        Err(_) => Caller::Anonymous,
    }
}

/// A user with these scopes.
pub fn user(id: &str, is_staff: bool, scopes: &[Scope]) -> Caller {
    match id.parse() {
        Ok(id) => Caller::User { id, is_staff, scopes: scopes.iter().copied().collect() },
        Err(_) => Caller::Anonymous,
    }
}

impl Ports {
    /// The ports of a client, which neither crashes nor stalls.
    pub fn of_client(world: &Arc<World>, name: &'static str) -> Self {
        Self { caller: world.sim.new_caller(name).unkillable(), world: Arc::clone(world) }
    }

    /// Sends a message to the queue of a function, which becomes visible after `delay`.
    ///
    /// # Errors
    /// If no response arrives. The message may have been sent.
    pub(super) async fn send_to_queue(
        &self,
        function: &'static str,
        message: &Value,
        delay: Duration,
    ) -> anyhow::Result<()> {
        let body = message.to_string();
        let world = Arc::clone(&self.world);
        let sent = self.caller.call("queue.send", move || {
            let (later, body) = (Arc::clone(&world), body.clone());
            world.sim.scheduler.schedule_in_flight(delay, move || later.send_to(function, &body));
        });
        Ok(sent.await?)
    }

    /// Invokes a function as an AWS service does that waits for its result. `None` if there is none.
    pub(super) async fn trigger(&self, function: &'static str, event: Value) -> Option<Value> {
        let world = Arc::clone(&self.world);
        let call =
            self.caller.call(function, move || lambda::invoke_trigger(&world, function, event.clone()));
        let result = async { call.await.ok()?.await.ok() };
        timeout(&self.caller, TRIGGER_TIMEOUT, result).await.flatten()
    }
}
