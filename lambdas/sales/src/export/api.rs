//! The API for exports: create them and download their files.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode, header};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::Clock;
use platform::http::{
    Access, Caller, CustomerScope, IdempotencyKey, Json, Operation, Problem, Routes, Scope,
    parse_path_parameter,
};
use platform::objects::ObjectStore;
use platform::optimistic::Versioned;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::request::CreateExport;
use super::store::{CreateResult, ExportQueue, Exports};
use super::view::{ExportStatus, ExportView};
use super::{Export, ExportId, FILE_RETENTION, State, contract};
use crate::view::DownloadView;

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
        .add(Operation::post("/exports", "createExport", staff, contract::describe_create), create)
        .add(Operation::get("/exports/{export_id}", "readExport", staff, contract::describe_read), read)
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
    let export = Export::new(id, request, fingerprint, now);
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
