//! Staff who upload images, replace files before they are processed, and delete them.

use std::sync::Arc;
use std::time::Duration;

use domain::UploadId;
use http::{Method, StatusCode};
use media::process::quarantine_key;
use platform::Clock;
use platform::http::Scope;
use serde_json::{Value, json};

use super::quarantine::{File, put};
use crate::ports::Ports;
use crate::services::client::{ApiRequest, user};
use crate::world::World;

/// The products whose images are uploaded.
pub(super) const SKUS: [&str; 2] = ["TEA", "MUG"];

/// An upload that a client is to make.
struct Plan {
    at: Duration,
    sku: &'static str,
    /// The files that the client uploads with the same form, one after the other.
    files: Vec<File>,
    wait: Duration,
    is_deleted: bool,
}

impl Plan {
    fn random(rng: &mut fastrand::Rng) -> Self {
        Self {
            at: Duration::from_millis(rng.u64(0..120_000)),
            sku: SKUS[rng.usize(0..2)],
            files: (0..rng.usize(0..=2)).map(|_| File::ALL[rng.usize(0..8).saturating_sub(3)]).collect(),
            wait: Duration::from_millis([50, 5_000, 60_000][rng.usize(0..3)]),
            is_deleted: rng.u8(0..4) == 0,
        }
    }
}

/// Starts the clients.
pub(super) fn start(world: &Arc<World>) {
    let plans = if world.sim.rates().is_some() {
        world.sim.random(|rng| (0..rng.usize(1..=3)).map(|_| Plan::random(rng)).collect())
    } else {
        let plan = |at, files| Plan {
            at: Duration::from_secs(at),
            sku: SKUS[0],
            files,
            wait: Duration::from_secs(5),
            is_deleted: false,
        };
        vec![plan(0, vec![File::Clean]), plan(20, vec![File::Infected])]
    };
    for plan in plans {
        let ports = Ports::of_client(world, "staff");
        world.sim.scheduler.spawn(async move { upload(&ports, plan).await });
    }
}

async fn upload(ports: &Ports, plan: Plan) {
    let Plan { at, sku, files, wait, is_deleted } = plan;
    ports.caller.sleep(at).await;
    let path = format!("/products/{sku}/image");
    let (status, form) = send(ports, Method::POST, &path, json!({ "content_type": "image/png" })).await;
    let id = form["upload_id"].as_str().and_then(|id| id.parse::<UploadId>().ok());
    let Some((id, sku)) = id.zip(sku.parse().ok()) else {
        if status.is_client_error() {
            ports.world.report_violation(format!("POST {path} returned {status}: {form}"));
        }
        return;
    };
    let key = quarantine_key(&sku, id);
    if form["fields"]["key"] != key.as_str() {
        ports
            .world
            .report_violation(format!("the form of upload {id} has the key {}", form["fields"]["key"]));
    }
    for file in files {
        ports.caller.log(|| format!("uploads {file:?} as {key}"));
        put(&ports.world, &key, file);
        ports.caller.sleep(wait).await;
    }
    if is_deleted {
        ports.world.parts.media.quarantine.delete(&key);
    }
    let (status, image) = send(ports, Method::GET, &path, Value::Null).await;
    let shows_upload =
        image["image"].is_null() || image["image"]["renditions"].as_array().is_some_and(|all| all.len() == 6);
    if status.is_client_error() || (status == StatusCode::OK && !shows_upload) {
        ports.world.report_violation(format!("GET {path} returned {status}: {image}"));
    }
}

async fn send(ports: &Ports, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let caller = user("staff-1", true, &[Scope::InventoryWrite]);
    let request = ApiRequest { function: "media-api", caller, method, path, header: None, body };
    request.send(ports).await.unwrap_or((StatusCode::GATEWAY_TIMEOUT, Value::Null))
}
