//! Request processing, in the order that Stripe's observable behaviour implies: the API key, the rate
//! limiter, the idempotency layer, the endpoint.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::{Duration, sleep};

use crate::account::{Account, new_id};
use crate::delivery::dispatch;
use crate::error::{Result, StripeError};
use crate::faults::{Fault, FaultPoint, Faults, Kind};
use crate::form::Form;
use crate::idempotency::{Fingerprint, SavedResponse};
use crate::operation::{Command, Operation};

/// The number of requests that the log keeps; older ones are dropped.
const MAX_LOG_ENTRIES: usize = 10_000;

/// The server's state, shared by all requests.
#[derive(Debug)]
pub struct StandIn {
    api_keys: Vec<String>,
    state: Mutex<State>,
    /// Notified of each change to the account, so that it is written to disk.
    pub(crate) changed: Notify,
    /// Held while the account is written, so that an older version never overwrites a newer one.
    pub(crate) writing: Mutex<()>,
}

/// The mutable state of the server.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) account: Account,
    pub(crate) faults: Faults,
    pub(crate) log: VecDeque<LoggedRequest>,
}

/// A parsed request to the API.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: Operation,
    /// The id in the path; empty if there is none.
    pub(crate) id: String,
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    /// The idempotency key; only for POST requests.
    pub(crate) key: Option<String>,
    pub(crate) form: Result<Form>,
}

/// How the server reacts to a request.
#[derive(Debug)]
pub(crate) enum Reply {
    Response(ApiResponse),
    /// Closes the connection after this time, without a response.
    Close(Duration),
}

/// A response of the API.
#[derive(Debug, Clone)]
pub(crate) struct ApiResponse {
    pub(crate) status: u16,
    pub(crate) body: String,
    /// The `Request-Id` of the first request with this idempotency key, if this is a replay of its response.
    pub(crate) replay_of: Option<String>,
}

/// An entry of `GET /_control/requests`.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct LoggedRequest {
    /// The time of the response.
    pub at: Timestamp,
    /// The `Request-Id` of the response.
    pub request_id: String,
    pub operation: Operation,
    pub path: String,
    /// The id of the PaymentIntent, if it is known.
    pub payment_intent: Option<String>,
    /// The order, if it is known.
    pub order_id: Option<String>,
    pub idempotency_key: Option<String>,
    /// The HTTP status; `null` if there was no response.
    pub status: Option<u16>,
    /// The status of the object, the code of the error, or `no_answer`.
    pub outcome: String,
    /// Whether the response is the replay of an earlier one.
    pub replayed: bool,
    /// The ids of the faults that were triggered.
    pub faults: Vec<u64>,
}

enum NextStep {
    Replay(SavedResponse),
    Execute(Command),
}

impl StandIn {
    /// Creates a stand-in that accepts these API keys, all for one account.
    pub fn new(api_keys: Vec<String>, account: Account) -> Self {
        let state = State { account, ..State::default() };
        Self { api_keys, state: Mutex::new(state), changed: Notify::new(), writing: Mutex::new(()) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No step leaves the state half-changed, so it is consistent even after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Processes a call and logs it. Returns the `Request-Id` and the reply.
    pub(crate) async fn respond(self: &Arc<Self>, call: Call) -> (String, Reply) {
        let request_id = new_id("req");
        let mut faults = Vec::new();
        let reply = self.process(&call, &request_id, &mut faults).await;
        self.log(&call, &request_id, &reply, faults);
        (request_id, reply)
    }

    async fn process(self: &Arc<Self>, call: &Call, request_id: &str, triggered: &mut Vec<u64>) -> Reply {
        if let Err(error) = self.authorize(call.authorization.as_deref()) {
            return Reply::Response(ApiResponse::from_result(Err(error)));
        }
        if let Some(fault) = self.trigger_fault(FaultPoint::OnRequest, call, triggered) {
            return respond_with_fault(&fault).await;
        }
        let response = match self.prepare(call) {
            Err(error) => ApiResponse::from_result(Err(error)),
            Ok(NextStep::Replay(saved)) => ApiResponse::replay(saved),
            Ok(NextStep::Execute(command)) => {
                let response = self.execute(call, command, triggered).await;
                if let Some(key) = &call.key {
                    let saved = SavedResponse {
                        status: response.status,
                        body: response.body.clone(),
                        request_id: request_id.to_owned(),
                    };
                    self.state().account.keys.save(key, saved, now());
                }
                self.changed.notify_one();
                response
            }
        };
        match self.trigger_fault(FaultPoint::OnResponse, call, triggered) {
            Some(fault) => respond_with_fault(&fault).await,
            None => Reply::Response(response),
        }
    }

    /// Checks the API key, which is a bearer token or the user name of basic authentication.
    fn authorize(&self, authorization: Option<&str>) -> Result<()> {
        let key = authorization.and_then(|header| {
            let (scheme, value) = header.split_once(' ')?;
            match scheme.to_ascii_lowercase().as_str() {
                "bearer" => Some(value.trim().to_owned()),
                "basic" => {
                    let decoded = String::from_utf8(BASE64_STANDARD.decode(value.trim()).ok()?).ok()?;
                    Some(decoded.split(':').next()?.to_owned())
                }
                _ => None,
            }
        });
        match key.filter(|key| !key.is_empty()) {
            None => Err(StripeError::unauthorized(
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            )),
            Some(key) if self.api_keys.contains(&key) => Ok(()),
            Some(key) => {
                let start: String = key.chars().take(8).collect();
                Err(StripeError::unauthorized(format!("Invalid API Key provided: {start}****")))
            }
        }
    }

    /// Runs the idempotency layer and validates the parameters.
    fn prepare(&self, call: &Call) -> Result<NextStep> {
        let form = call.form.clone()?;
        let mut state = self.state();
        let fingerprint = Fingerprint { path: call.path.clone(), parameters: form.fingerprint() };
        if let Some(key) = &call.key
            && let Some(saved) = state.account.keys.look_up(key, &fingerprint, now())?
        {
            return Ok(NextStep::Replay(saved));
        }
        let command = Command::parse(call.operation, call.id.clone(), form)?;
        if let Some(key) = &call.key {
            state.account.keys.begin(key, fingerprint);
        }
        Ok(NextStep::Execute(command))
    }

    /// Runs the endpoint.
    async fn execute(
        self: &Arc<Self>,
        call: &Call,
        command: Command,
        triggered: &mut Vec<u64>,
    ) -> ApiResponse {
        if let Some(fault) = self.trigger_fault(FaultPoint::BeforeEffect, call, triggered) {
            sleep(fault.delay()).await;
            if fault.kind == Kind::Http500 {
                return ApiResponse::from_result(Err(StripeError::api_error(500)));
            }
        }
        let response = ApiResponse::from_result(command.execute(&mut self.state().account, now()));
        dispatch(self);
        if let Some(fault) = self.trigger_fault(FaultPoint::AfterEffect, call, triggered) {
            // The operation has taken effect: persist it now, in case the process is stopped during the
            // delay.
            self.changed.notify_one();
            sleep(fault.delay()).await;
            if fault.kind == Kind::Http500 {
                return ApiResponse::from_result(Err(StripeError::api_error(500)));
            }
        }
        response
    }

    fn trigger_fault(&self, point: FaultPoint, call: &Call, triggered: &mut Vec<u64>) -> Option<Fault> {
        let mut state = self.state();
        let order_id = order_id_of(&state.account, call);
        let fault = state.faults.trigger(point, call.operation, order_id.as_deref())?;
        triggered.push(fault.id);
        Some(fault)
    }

    fn log(&self, call: &Call, request_id: &str, reply: &Reply, faults: Vec<u64>) {
        let mut state = self.state();
        let (status, outcome, payment_intent, replayed) = match reply {
            Reply::Close(_) => (None, "no_answer".to_owned(), None, false),
            Reply::Response(response) => {
                let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
                (Some(response.status), outcome_of(&body), intent_id_of(&body), response.replay_of.is_some())
            }
        };
        let payment_intent = payment_intent.or_else(|| call.id.starts_with("pi_").then(|| call.id.clone()));
        let logged = LoggedRequest {
            at: now(),
            request_id: request_id.to_owned(),
            operation: call.operation,
            path: call.path.clone(),
            payment_intent,
            order_id: order_id_of(&state.account, call),
            idempotency_key: call.key.clone(),
            status,
            outcome,
            replayed,
            faults,
        };
        logged.print();
        if state.log.len() == MAX_LOG_ENTRIES {
            state.log.pop_front();
        }
        state.log.push_back(logged);
    }
}

impl ApiResponse {
    pub(crate) fn from_result(result: Result<Value>) -> Self {
        let (status, body) = match result {
            Ok(body) => (200, body),
            Err(error) => (error.status, error.body()),
        };
        Self { status, body: body.to_string(), replay_of: None }
    }

    fn replay(saved: SavedResponse) -> Self {
        Self { status: saved.status, body: saved.body, replay_of: Some(saved.request_id) }
    }
}

impl LoggedRequest {
    fn print(&self) {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        let replayed = if self.replayed { " replayed" } else { "" };
        let faults =
            if self.faults.is_empty() { String::new() } else { format!(" faults={:?}", self.faults) };
        println!(
            "{:.3} {status} {} {} order={} key={}{replayed}{faults}",
            self.at,
            self.path,
            self.outcome,
            or_dash(&self.order_id),
            or_dash(&self.idempotency_key),
        );
    }
}

/// Returns the reply for a fault that is injected before or after the endpoint.
async fn respond_with_fault(fault: &Fault) -> Reply {
    if let Some((status, error)) = &fault.response {
        sleep(fault.delay()).await;
        let body = serde_json::json!({ "error": error }).to_string();
        return Reply::Response(ApiResponse { status: *status, body, replay_of: None });
    }
    let error = match fault.kind {
        Kind::Timeout | Kind::Reset => return Reply::Close(fault.delay()),
        Kind::Http429 => StripeError::rate_limit(),
        Kind::Conflict409 => StripeError::key_in_use(),
        Kind::Http503 | Kind::Http500 | Kind::Slow | Kind::Error => StripeError::api_error(503),
    };
    sleep(fault.delay()).await;
    Reply::Response(ApiResponse::from_result(Err(error)))
}

/// Returns `metadata[order_id]`: from the request if it creates a PaymentIntent, otherwise from the
/// PaymentIntent that it refers to.
fn order_id_of(account: &Account, call: &Call) -> Option<String> {
    let form = call.form.as_ref().ok();
    if call.operation == Operation::Create {
        return form?.peek("metadata[order_id]").map(str::to_owned);
    }
    let id = form.and_then(|form| form.peek("payment_intent")).unwrap_or(&call.id);
    account.payment_intents.get(id)?.order_id().map(str::to_owned)
}

fn outcome_of(body: &Value) -> String {
    let error = &body["error"];
    let outcome = [&error["code"], &error["type"], &body["status"]].into_iter().find_map(Value::as_str);
    outcome.unwrap_or("ok").to_owned()
}

fn intent_id_of(body: &Value) -> Option<String> {
    let own = if body["object"] == "payment_intent" { &body["id"] } else { &body["payment_intent"] };
    own.as_str().or_else(|| body["error"]["payment_intent"]["id"].as_str()).map(str::to_owned)
}

/// Returns the current time. This is the only clock of the stand-in.
#[expect(
    clippy::disallowed_methods,
    reason = "the stand-in is a separate process, outside the system under test: no simulation sets its time"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
