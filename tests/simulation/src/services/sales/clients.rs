//! The operators, who export orders and read reports.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use platform::http::{Caller, Scope};
use platform::{Clock, lock};
use sales::export::store::Exports;
use sales::export::{ExportId, State};
use sales::ledger::sale::Sale;
use serde_json::{Value, json};

use super::rules::check_export;
use crate::ports::{Ports, now};
use crate::world::World;

/// The base URL of the API in emails.
pub(super) const API_URL: &str = "https://api.example.com/v1";
/// The wait between two requests for the same resource.
const POLL_INTERVAL: Duration = Duration::from_secs(30);
/// After how many requests an operator gives up: in ten hours.
const MAX_POLLS: u32 = 1_200;

fn operator(world: &Arc<World>) -> Ports {
    Ports { caller: world.sim.new_caller("operator").unkillable(), world: Arc::clone(world) }
}

/// Starts an operator who exports all orders, and checks the file. A late export begins when the ledger is
/// complete.
pub(super) fn export(world: &Arc<World>, when: &'static str) {
    let ports = operator(world);
    let is_late = when == "late";
    let (format, paid_only) = world.sim.random(|rng| {
        (["csv", "csv", "json_lines", "json_lines", "parquet"][rng.usize(0..5)], rng.u8(0..4) == 0)
    });
    world.sim.scheduler.spawn(async move {
        if !is_late {
            ports.caller.sleep(ports.caller.sim.random_delay(Duration::from_secs(900))).await;
        }
        let statuses = if paid_only { json!(["paid"]) } else { Value::Null };
        let body =
            json!({ "from": "2026-01-04", "to": "2026-12-31", "format": format, "statuses": statuses });
        // An export may fail for want of progress: the operator then requests another one.
        for number in 1..=20 {
            let ledger = ports.world.parts.sales.ledger.sales();
            let key = format!("{when}-{number}");
            match request_export(&ports, &key, &body).await {
                Some((id, true)) => return check(&ports, id, &ledger, is_late),
                Some((_, false)) => {}
                None => break,
            }
        }
        ports.world.report_violation(format!("the {when} export is never done"));
    });
}

fn check(ports: &Ports, id: ExportId, ledger: &[Sale], is_complete: bool) {
    let world = &ports.world;
    if let Ok(Some(export)) = now(Exports::get(&world.parts.sales.exports, id)) {
        for violation in check_export(world, &export.value, ledger, is_complete) {
            world.report_violation(violation);
        }
        let is_new = lock(&world.parts.sales.done).insert(id);
        if !is_new || !matches!(export.value.state, State::Done { .. }) {
            world.report_violation(format!("the export {id} is reported as done, but is not"));
        }
    }
}

/// Creates an export and waits for its end. Returns whether it is done or has failed; `None` if it has neither
/// end.
async fn request_export(ports: &Ports, key: &str, body: &Value) -> Option<(ExportId, bool)> {
    let mut id = None;
    for _ in 0..MAX_POLLS {
        let request = match &id {
            None => Request::post("/exports").header("idempotency-key", key),
            Some(id) => Request::get(format!("/exports/{id}")),
        };
        let body = if id.is_none() { body.to_string() } else { String::new() };
        let response = send(ports, request, body).await;
        ports.caller.log(|| format!("the export {key}: {response:?}"));
        let Some((status, view)) = response else {
            ports.caller.sleep(POLL_INTERVAL).await;
            continue;
        };
        if status.is_client_error() {
            ports.world.report_violation(format!("the export {key} returned {status}: {view}"));
            return None;
        }
        if status.is_success() {
            let found: ExportId = view["id"].as_str().and_then(|id| id.parse().ok())?;
            match view["status"].as_str() {
                Some("done") if view["download"]["url"].is_string() => return Some((found, true)),
                Some("failed") => return Some((found, false)),
                _ => id = Some(found),
            }
        }
        ports.caller.sleep(POLL_INTERVAL).await;
    }
    None
}

/// Starts an operator who follows the link in the email about the report of the previous day.
pub(super) fn read_report(world: &Arc<World>) {
    let ports = operator(world);
    let today = world.wiring.shop_time_zone.to_datetime(world.sim.now()).date();
    let day = today.yesterday().ok();
    *lock(&world.parts.sales.report_day) = day;
    world.sim.scheduler.spawn(async move {
        for _ in 0..MAX_POLLS {
            ports.caller.sleep(POLL_INTERVAL).await;
            // The report of an earlier day may have been late.
            let prefix = day.map(|day| format!("/reports/{day}/")).unwrap_or_default();
            let text = {
                let mails = lock(&ports.world.parts.sales.mails);
                mails.iter().rev().find(|mail| mail.text.contains(&prefix)).map(|mail| mail.text.clone())
            };
            let Some(text) = text else { continue };
            let links = text.lines().filter_map(|line| line.strip_prefix(API_URL));
            for link in links.map(str::to_owned).collect::<Vec<_>>() {
                follow(&ports, &link, &day.map(|day| format!("reports/{day}/")).unwrap_or_default()).await;
            }
            return;
        }
    });
}

/// Follows a link until it redirects to an object whose key starts with `prefix`.
async fn follow(ports: &Ports, link: &str, prefix: &str) {
    for _ in 0..MAX_POLLS {
        let request = Request::get(link).body(Bytes::new()).ok();
        let Some(request) = request else { break };
        if let Some(response) = ports.request_in_time("exports-api", request).await {
            let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
            if response.status() == StatusCode::FOUND && location.is_some_and(|to| to.contains(prefix)) {
                return;
            }
            if response.status() == StatusCode::FOUND || response.status().is_client_error() {
                break;
            }
        }
        ports.caller.sleep(POLL_INTERVAL).await;
    }
    ports.world.report_violation(format!("the link {link} does not lead to {prefix}"));
}

/// Sends one request as an operator. `None` if no response arrives in time.
async fn send(ports: &Ports, request: http::request::Builder, body: String) -> Option<(StatusCode, Value)> {
    let scopes = [Scope::ReportsRead].into_iter().collect();
    let caller = Caller::User { id: "operator".parse().ok()?, is_staff: true, scopes };
    let request = request.header("content-type", "application/json").extension(caller);
    let response = ports.request_in_time("exports-api", request.body(Bytes::from(body)).ok()?).await?;
    Some((response.status(), serde_json::from_slice(response.body()).unwrap_or_default()))
}
