//! The operations service: `check-health`, `health-api`, and a monitor that reads the health.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::order::OrderStatus;
use http::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use operations::adapters::memory::InMemoryReports;
use operations::adapters::{HttpShop, OAuthClient};
use operations::api::{Api, router};
use operations::check::CheckHealth;
use operations::report::{MAX_MESSAGE_AGE, Report, Step};
use operations::shop::ClientSecret;
use operations::store::{Depth, Queues, Reports};
use platform::clock::timeout;
use platform::http::{Caller, Scope};
use platform::http_client::{HttpClient, NoResponse};
use platform::{Clock, lock};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::client::{AFTER_FAULTS, ApiRequest, machine};
use super::handler::Handler;
use super::{Assemble, Service};
use crate::faults::CLOCK_SKEW;
use crate::lambda;
use crate::mutation::Mutation;
use crate::ports::{Ports, now};
use crate::world::World;

/// How long `check-health` waits for a response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The latest report.
    pub reports: InMemoryReports,
    /// What each invocation of `check-health` saw, by its number.
    seen: Mutex<BTreeMap<u64, Seen>>,
    /// When the last check was started, after the last faults.
    last_check_at: Mutex<Option<Timestamp>>,
}

/// What an invocation of `check-health` saw.
#[derive(Debug, Clone, Default)]
struct Seen {
    /// The steps that succeeded at least once.
    succeeded: Vec<Step>,
    /// Whether a message was late, as far as the ages of messages could be read.
    has_late_messages: bool,
}

/// The operations service.
pub struct Operations;

impl Service for Operations {
    fn name(&self) -> &'static str {
        "operations"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("check-health", check_health), ("health-api", health_api)]
    }

    /// A quarter of the checks suffices: each places an order.
    fn has_work(&self, world: &World, _: &str) -> bool {
        world.sim.random(|rng| rng.u8(0..4)) == 0
    }

    fn start(&self, world: &Arc<World>) {
        let waits = world.sim.random(|rng| [rng.u64(0..60), rng.u64(60..3_600)]);
        for wait in waits {
            let ports = Ports::of_client(world, "monitor");
            world.sim.scheduler.spawn(async move {
                ports.caller.sleep(Duration::from_secs(wait)).await;
                read_health(&ports).await;
            });
        }
    }

    /// Checks the health once more after the last faults.
    fn finish(&self, world: &Arc<World>) {
        let checked = Arc::clone(world);
        world.sim.scheduler.schedule_in_flight(AFTER_FAULTS, move || {
            *lock(&checked.parts.operations.last_check_at) = Some(checked.sim.now());
            if let Some(function) = super::function("check-health") {
                lambda::run_job(&checked, function, Value::Null, 0);
            }
        });
    }

    /// The latest report, which was made without faults, finds that every step succeeds.
    fn check(&self, world: &World) -> Vec<String> {
        let last = now(world.parts.operations.reports.last()).ok().flatten();
        let Some(report) = last else { return vec!["there is no report on the health".to_owned()] };
        let expected =
            [Step::SignIn, Step::ListProducts, Step::ReadProduct, Step::PlaceOrder, Step::DecideOrder];
        let steps = report.steps.iter().filter(|step| step.ok).map(|step| step.step);
        let last_check_at = lock(&world.parts.operations.last_check_at).unwrap_or_default();
        let is_recent = report.checked_at >= last_check_at;
        // A message of a partner may still wait for its next attempt: that is checked when the report is stored.
        if steps.eq(expected) && is_recent {
            return Vec::new();
        }
        vec![format!("the latest report after all faults is {report:?}")]
    }
}

fn check_health(ports: &Ports) -> Handler {
    let clock = Arc::new(ports.caller.clone());
    let client = OAuthClient { id: "health".to_owned(), token_url: "https://login/oauth2/token".to_owned() };
    let http = Gateway(ports.clone());
    Handler::job(CheckHealth {
        shop: Arc::new(HttpShop::new(
            http,
            HealthSecret(ports.clone()),
            client,
            "https://api",
            clock.clone(),
        )),
        queues: Arc::new(ports.clone()),
        reports: Arc::new(ports.clone()),
        clock,
    })
}

fn health_api(ports: &Ports) -> Handler {
    Handler::api(
        ports,
        router(Api { reports: Arc::new(ports.clone()), clock: Arc::new(ports.caller.clone()) }),
    )
}

/// Reads the health as anyone may. The response says what the latest report says.
async fn read_health(ports: &Ports) {
    let request = ApiRequest {
        function: "health-api",
        caller: Caller::Anonymous,
        method: Method::GET,
        path: "/health",
        header: None,
        body: Value::Null,
    };
    let before = now(ports.world.parts.operations.reports.last()).ok().flatten();
    let Some(response) = request.send_once(ports).await else { return };
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let after = now(ports.world.parts.operations.reports.last()).ok().flatten();
    // A report that was stored meanwhile may be the one that was returned.
    if before != after || response.status() == StatusCode::INTERNAL_SERVER_ERROR {
        return;
    }
    let time = ports.world.sim.now();
    let problems = |time| after.as_ref().map(|report| report.problems(time));
    // The clock of the function may differ, so that a report is stale for one of the two.
    if problems(time - CLOCK_SKEW) != problems(time + CLOCK_SKEW) {
        return;
    }
    let Some(problems) = problems(time) else { return };
    let says_healthy = response.status() == StatusCode::OK;
    let says_unhealthy = body["type"].as_str().is_some_and(|kind| kind.ends_with(":unhealthy"));
    if (says_healthy && !problems.is_empty()) || (says_unhealthy && problems.is_empty()) {
        ports.world.report_violation(format!("the health is {} {body} with {after:?}", response.status()));
    }
}

impl State {
    fn note(&self, invocation: u64, note: impl FnOnce(&mut Seen)) {
        note(lock(&self.seen).entry(invocation).or_default());
    }
}

/// A report says what its check saw.
fn check_report(world: &World, invocation: u64, report: &Report) -> Option<String> {
    let seen = lock(&world.parts.operations.seen).get(&invocation).cloned().unwrap_or_default();
    let wrong = report.steps.iter().find(|step| step.ok != seen.succeeded.contains(&step.step));
    if let Some(step) = wrong {
        return Some(format!("a report says {step:?}, and its check saw {seen:?}"));
    }
    (seen.has_late_messages != report.has_late_messages)
        .then(|| format!("{report:?} says otherwise than {seen:?}"))
}

/// The secret of the client, in Secrets Manager.
struct HealthSecret(Ports);

#[async_trait]
impl ClientSecret for HealthSecret {
    async fn read(&self) -> anyhow::Result<SecretString> {
        self.0.read("health_secret.read", |_| Ok(SecretString::from("open sesame"))).await
    }
}

/// The token endpoint and the API, as `check-health` calls them.
struct Gateway(Ports);

#[async_trait]
impl HttpClient for Gateway {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let no_response = || NoResponse { host: path.clone(), source: "no response".into() };
        let answer = timeout(&self.0.caller, RESPONSE_TIMEOUT, self.answer(request)).await;
        let response = answer.and_then(Result::ok).ok_or_else(no_response)?;
        if response.status().is_success() {
            let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
            if let Some(step) = step(&method, &path, &body) {
                let world = &self.0.world;
                world.parts.operations.note(self.0.caller.invocation, |seen| seen.succeeded.push(step));
            }
        }
        Ok(response)
    }
}

/// The step that a successful response completes.
fn step(method: &Method, path: &str, body: &Value) -> Option<Step> {
    let is_rejected = body["status"] == json!(OrderStatus::Rejected);
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["", "oauth2", "token"] => Some(Step::SignIn),
        ["", "products"] => Some(Step::ListProducts),
        ["", "products", _] => Some(Step::ReadProduct),
        ["", "orders"] if *method == Method::POST => Some(Step::PlaceOrder),
        ["", "orders", _] if is_rejected => Some(Step::DecideOrder),
        _ => None,
    }
}

impl Gateway {
    async fn answer(&self, mut request: Request<Bytes>) -> anyhow::Result<Response<Bytes>> {
        let path = request.uri().path().to_owned();
        if path == "/oauth2/token" {
            let token = r#"{"access_token":"t-1","expires_in":3600}"#;
            return self
                .0
                .read("token", move |_| Ok(Response::new(Bytes::from_static(token.as_bytes()))))
                .await;
        }
        let function = if path.starts_with("/products") { "inventory-api" } else { "orders-api" };
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).parse()?;
        *request.uri_mut() = path;
        request.extensions_mut().insert(machine("health", &[Scope::HealthCheck]));
        self.0.request(function, request).await
    }
}

#[async_trait]
impl Queues for Ports {
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>> {
        let depths = self.read("queues.depths", |world| Ok(depths(world))).await.unwrap_or_default();
        depths.into_iter().map(|(queue, depth)| (queue, Ok(depth))).collect()
    }

    async fn oldest_message_ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>> {
        let ages = self.read("queues.oldest_message_ages", |world| Ok(ages(world))).await?;
        let is_late = ages.values().any(|age| *age > MAX_MESSAGE_AGE);
        self.world.parts.operations.note(self.caller.invocation, |seen| seen.has_late_messages = is_late);
        Ok(ages)
    }
}

fn depths(world: &World) -> BTreeMap<String, Depth> {
    let (queues, now) = (lock(&world.queues), world.sim.scheduler.now());
    let depth = |queue: &crate::queue::Queue| {
        let all = u64::try_from(queue.messages.len()).unwrap_or(u64::MAX);
        let waiting = u64::try_from(queue.visible(now).len()).unwrap_or(u64::MAX);
        Depth { waiting, in_flight: all.saturating_sub(waiting) }
    };
    queues.iter().map(|queue| (queue.subscription.queue.clone(), depth(queue))).collect()
}

fn ages(world: &World) -> BTreeMap<String, SignedDuration> {
    let (queues, now) = (lock(&world.queues), world.sim.scheduler.now());
    let oldest = |queue: &crate::queue::Queue| {
        let sent_at = queue.messages.values().map(|message| message.sent_at).min()?;
        let age = SignedDuration::try_from(now.saturating_sub(sent_at)).ok()?;
        Some((queue.subscription.queue.clone(), age))
    };
    queues.iter().filter_map(oldest).collect()
}

#[async_trait]
impl Reports for Ports {
    async fn last(&self) -> anyhow::Result<Option<Report>> {
        self.read("reports.last", |world| now(world.parts.operations.reports.last())).await
    }

    async fn awaited_since(&self, time: Timestamp) -> anyhow::Result<Timestamp> {
        self.read("reports.awaited_since", move |world| {
            now(world.parts.operations.reports.awaited_since(time))
        })
        .await
    }

    async fn save(&self, report: &Report) -> anyhow::Result<()> {
        let (report, invocation) = (report.clone(), self.caller.invocation);
        self.read("reports.save", move |world| {
            if let Some(violation) = check_report(world, invocation, &report) {
                world.report_violation(violation);
            }
            let reports = &world.parts.operations.reports;
            let before = now(reports.last())?;
            if world.has_mutation(Mutation::OlderReportWins) {
                reports.forget();
            }
            now(reports.save(&report))?;
            let after = now(reports.last())?;
            if after.map(|report| report.checked_at) < before.map(|report| report.checked_at) {
                world.report_violation("an older report on the health replaced a newer one".to_owned());
            }
            Ok(())
        })
        .await
    }
}
