//! `exports-api`: ask for exports, and fetch them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

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
    Access, Caller, CustomerScope, IdempotencyKey, Json, Operation, Problem, Routes, Scope,
    parse_path_parameter,
};
use platform::objects::ObjectStore;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::request::CreateExport;
use super::store::{CreateResult, ExportQueue, Exports};
use super::{Export, ExportId, FILE_RETENTION, Format, State, contract};
use crate::ledger::store::Versioned;
use crate::report;

/// How long a link is good: a download begins within it, and may then take longer.
const LINK_LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Ids of exports are derived from the caller and the key under this namespace (UUID version 5, RFC 9562).
const EXPORT_ID_NAMESPACE: Uuid = Uuid::from_u128(0x1c5e_77f0_3b0a_5d6e_9a41_6d2b_88c3_41f7);

/// What the routes work on.
pub struct Api {
    /// The exports.
    pub exports: Arc<dyn Exports>,
    /// Has them written.
    pub queue: Arc<dyn ExportQueue>,
    /// Where the files are.
    pub files: Arc<dyn ObjectStore>,
    /// Whether a link to a report is ours.
    pub links: report::link::LinkSigner,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What the shop's clocks show.
    pub zone: TimeZone,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let staff = Access::Scope(Scope::ReportsRead);
    let routes = Routes::default()
        .add(Operation::post("/exports", "createExport", staff, contract::describe_create), create)
        .add(Operation::get("/exports/{export_id}", "readExport", staff, contract::describe_read), read);
    report::api::add(routes)
}

/// An export, as clients see it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Export")]
pub(super) struct ExportView {
    /// Names it.
    id: ExportId,
    /// How far it is.
    status: ExportStatus,
    /// How the file is written.
    format: Format,
    /// Orders placed from then on (RFC 3339, UTC),
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: Timestamp,
    /// and before then.
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Timestamp,
    /// Only orders that stand so; all, where it is missing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    statuses: BTreeSet<OrderStatus>,
    /// When it was asked for. The orders are in it as they stood then.
    #[schemars(with = "String", extend("format" = "date-time"))]
    requested_at: Timestamp,
    /// How many orders are in it so far.
    orders: u64,
    /// How many bytes the file has, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Where to fetch it, once it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    download: Option<DownloadView>,
}

/// A link to a file.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Download")]
pub(crate) struct DownloadView {
    /// Where to fetch it, without a token: whoever has the link can.
    url: String,
    /// Until when the link is good. Read this again for another.
    #[schemars(with = "String", extend("format" = "date-time"))]
    expires_at: Timestamp,
}

impl DownloadView {
    /// A link that is made now.
    pub(crate) async fn presigned(
        files: &dyn ObjectStore,
        clock: &dyn Clock,
        key: &str,
        file_name: Option<&str>,
    ) -> anyhow::Result<Self> {
        let expires_at = clock.now().saturating_add(LINK_LIFETIME).unwrap_or(Timestamp::MAX);
        Ok(Self { url: files.presigned_url(key, LINK_LIFETIME, file_name).await?, expires_at })
    }
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ExportStatus {
    /// It is next.
    Queued,
    /// It is being written.
    Running,
    /// The file is there.
    Done,
    /// It could not be written. The shop is told of it; ask for a new one.
    Failed,
    /// It was done, and the file is removed. Ask for a new one.
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
    // Two callers may have hit upon the same key.
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
    // Also when it was there before: the message may not have been sent then. One too many does nothing.
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
    /// Has an export gone on with whose message may be lost: at most once in a while, since the record notes it.
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
