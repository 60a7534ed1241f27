//! The API for exports: create them and download their files.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::order::OrderStatus;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::Clock;
use platform::http::{
    Access, Caller, CustomerScope, IdempotencyKey, Json, Operation, OperationDescription, Problem, Routes,
    Scope, parse_path_parameter,
};
use platform::objects::ObjectStore;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::request::CreateExport;
use super::store::{CreateResult, ExportQueue, Exports};
use super::{Export, ExportId, FILE_RETENTION, Format, State};
use crate::download::DownloadView;
use platform::optimistic::Versioned;

/// The namespace of export ids, which are derived from the caller and the idempotency key (UUID version 5,
/// RFC 9562).
const EXPORT_ID_NAMESPACE: Uuid = Uuid::from_u128(0x1c5e_77f0_3b0a_5d6e_9a41_6d2b_88c3_41f7);

/// The dependencies of the routes.
#[expect(missing_docs, reason = "the fields say it")]
pub struct Api {
    pub exports: Arc<dyn Exports>,
    /// The queue of `export-orders`.
    pub queue: Arc<dyn ExportQueue>,
    /// The bucket of exports.
    pub files: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
    /// The time zone of the shop.
    pub zone: TimeZone,
}

/// Creates the router.
pub(crate) fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions for the contract.
pub(crate) fn routes() -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::ReportsRead);
    Routes::default()
        .add(Operation::post("/exports", "createExport", staff, describe_create), create)
        .add(Operation::get("/exports/{export_id}", "readExport", staff, describe_read), read)
}

fn describe_create(it: &mut OperationDescription) {
    it.about(
        "Create an export",
        "Starts an export of all orders that were placed in a period, each with its state at the time of the \
         request. It takes from a few seconds to several minutes; get the export to check its status. Orders \
         of the last few seconds may be missing. CSV and Parquet files have one row per order line, which \
         repeats the data of the order. JSON Lines files have one line per order.",
    )
    .required_header::<IdempotencyKey<'_>>(
        "Idempotency-Key",
        "A unique value for each export, such as a UUID. Retry a request with the same value to get the same \
         export. Keys expire after 30 days.",
    )
    .body::<CreateExport>()
    .response::<ExportView>(202, "The export is created.")
    .with_header("Location", "Path of the export.")
    .problem(422, "idempotency-key-reused", "The Idempotency-Key was used for a different export.");
}

fn describe_read(it: &mut OperationDescription) {
    it.about(
        "Get an export",
        "Returns the status of an export and, when it is done, a link to download the file.",
    )
    .path::<ExportId>("export_id", "The `id` of the export.")
    .response::<ExportView>(200, "The export.")
    .problem(404, "not-found", "There is no such export, or it is more than 30 days old.");
}

/// An export of orders.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
struct ExportView {
    /// Unique identifier of the export.
    id: ExportId,
    /// Status of the export.
    status: ExportStatus,
    /// Format of the file.
    format: Format,
    /// Start of the period, inclusive (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: Timestamp,
    /// End of the period, exclusive (RFC 3339, UTC).
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
    /// The export includes only orders with one of these statuses. Absent if it includes all orders.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    statuses: BTreeSet<OrderStatus>,
    /// Time of the request. The export contains the state of each order at this time.
    #[schemars(with = "String", extend("format" = "date-time"))]
    requested_at: Timestamp,
    /// Number of orders written so far.
    orders: u64,
    /// Size of the file in bytes, once the export is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Download link, once the export is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<DownloadView>,
}

/// Status of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ExportStatus {
    /// The export is waiting to be processed.
    Queued,
    /// The file is being written.
    Running,
    /// The file is available for download.
    Done,
    /// The export failed, and the shop has been alerted. Create a new export.
    Failed,
    /// The file has been deleted. Create a new export.
    Expired,
}

async fn create(
    Shared(api): Shared<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<CreateExport>, Problem>,
) -> Result<Response, Problem> {
    let scope = CustomerScope::of_caller(&caller)?;
    let now = api.clock.now();
    let request = body.and_then(|Json(body)| body.validate(&api.zone, now));
    let (key, request) = IdempotencyKey::from_headers_and_body(&headers, "export", request)?;
    // Two callers may use the same key.
    let name = format!("{}/{}", scope.caller_id(), key.as_str());
    let id = ExportId::from(Uuid::new_v5(&EXPORT_ID_NAMESPACE, name.as_bytes()));
    let request_json = serde_json::to_string(&request).map_err(anyhow::Error::from)?;
    let fingerprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(request_json.as_bytes()));
    let export = Export {
        id,
        request,
        fingerprint,
        requested_at: now,
        state: State::Queued,
        lease: None,
        attempts: 0,
        updated_at: now,
    };
    let export = match api.exports.create(&export).await? {
        CreateResult::Created => export,
        CreateResult::AlreadyExists(existing) if existing.value.fingerprint == export.fingerprint => {
            existing.value
        }
        CreateResult::AlreadyExists(_) => return Err(Problem::idempotency_key_reused()),
    };
    // Also for an existing export, because its message may not have been sent. A duplicate message has no
    // effect.
    if matches!(export.state, State::Queued) {
        api.queue.send(id).await?;
    }
    let location = [(header::LOCATION, format!("/v1/exports/{id}"))];
    let view = api.view(export).await?;
    Ok((StatusCode::ACCEPTED, location, Json(view)).into_response())
}

async fn read(
    Shared(api): Shared<Arc<Api>>,
    caller: Caller,
    Path(export_id): Path<String>,
) -> Result<Response, Problem> {
    CustomerScope::of_caller(&caller)?;
    let id: ExportId = parse_path_parameter("export_id", &export_id)?;
    let found = api.exports.get(id).await?;
    let found = found.ok_or_else(|| Problem::not_found(format!("There is no export {id}.")))?;
    if found.value.is_overdue(api.clock.now()) {
        api.requeue(&found).await;
    }
    Ok(Json(api.view(found.value).await?).into_response())
}

impl Api {
    /// Sends the message of a stalled export again. The record is updated first, so that this happens at most
    /// once per [`super::OVERDUE_AFTER`].
    async fn requeue(&self, found: &Versioned<Export>) {
        let touched = Export { updated_at: self.clock.now(), ..found.value.clone() };
        let requeued = async {
            if self.exports.replace(found, touched).await?.is_some() {
                self.queue.send(found.value.id).await?;
                tracing::warn!(export_id = %found.value.id, "a stalled export was queued again");
            }
            anyhow::Ok(())
        };
        if let Err(error) = requeued.await {
            tracing::error!(error = %format!("{error:#}"), "a stalled export could not be queued again");
        }
    }

    async fn view(&self, export: Export) -> Result<ExportView, Problem> {
        let expires_at = |done: Timestamp| done.saturating_add(FILE_RETENTION).unwrap_or(Timestamp::MAX);
        let (status, orders, bytes) = match export.state {
            State::Queued => (ExportStatus::Queued, 0, None),
            State::Running { orders, .. } => (ExportStatus::Running, orders, None),
            State::Done { orders, bytes, at } if self.clock.now() < expires_at(at) => {
                (ExportStatus::Done, orders, Some(bytes))
            }
            State::Done { orders, bytes, .. } => (ExportStatus::Expired, orders, Some(bytes)),
            State::Failed { .. } => (ExportStatus::Failed, 0, None),
        };
        let download = match status {
            ExportStatus::Done => {
                let (key, name) = (export.key(), export.file_name());
                Some(
                    DownloadView::presigned(self.files.as_ref(), self.clock.as_ref(), &key, Some(&name))
                        .await?,
                )
            }
            _ => None,
        };
        Ok(ExportView {
            id: export.id,
            status,
            format: export.request.format,
            from: export.request.from,
            until: export.request.until,
            statuses: export.request.statuses,
            requested_at: export.requested_at,
            orders,
            bytes,
            download,
        })
    }
}
