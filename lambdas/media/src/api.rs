//! `media-api`: creates uploads, and shows their status and the images of products.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State as Extension};
use axum::response::{IntoResponse, Response};
use domain::product::{Upload, UploadState};
use domain::{Sku, UploadId};
use http::{StatusCode, header};
use platform::Clock;
use platform::http::{Access, Json, Operation, Problem, RequestCause, Routes, Scope, parse_path_parameter};
use platform::objects::ObjectStore;

use crate::process::quarantine_key;
use crate::rendition::MAX_PIXELS;
use crate::request::CreateImageUpload;
use crate::store::{Images, UploadForms, UploadPolicy};
use crate::view::{ImageView, Limits, ProductImageView, RenditionView, Status, UploadFormView};
use crate::{MAX_UPLOAD_BYTES, contract};

/// The validity of a form: long enough for a slow connection, too short to be shared.
const FORM_VALIDITY: Duration = Duration::from_secs(10 * 60);

/// The validity of a link to a rendition. It ends earlier if the credentials of the function expire.
const LINK_VALIDITY: Duration = Duration::from_secs(60 * 60);

/// The dependencies of the routes.
#[expect(missing_docs, reason = "the fields say it")]
pub struct Api {
    pub images: Arc<dyn Images>,
    pub forms: Arc<dyn UploadForms>,
    /// The bucket of the renditions.
    pub renditions: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
}

/// Returns the router of the service.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions in the API contract.
pub fn routes() -> Routes<Arc<Api>> {
    let image = "/products/{sku}/image";
    let staff = Access::Scope(Scope::InventoryWrite);
    Routes::default()
        .add(Operation::post(image, "createImageUpload", staff, contract::describe_create), create)
        .add(Operation::get(image, "readProductImage", Access::Public, contract::describe_get), get)
}

async fn create(
    Extension(api): Extension<Arc<Api>>,
    Path(sku): Path<String>,
    RequestCause(cause): RequestCause,
    body: Json<CreateImageUpload>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let (id, now) = (UploadId::from(api.clock.new_id()), api.clock.now());
    let policy = UploadPolicy {
        key: quarantine_key(&sku, id),
        content_type: body.0.content_type.as_ref().to_owned(),
        max_bytes: MAX_UPLOAD_BYTES,
        valid_from: now,
        validity: FORM_VALIDITY,
    };
    let form = api.forms.create(&policy).await?;
    let location = format!("/v1/products/{sku}/image");
    api.images.create(&Upload { sku, id, requested_at: now, cause, state: UploadState::Pending }).await?;
    let view = UploadFormView {
        upload_id: id,
        url: form.url,
        fields: form.fields,
        expires_at: now.saturating_add(FORM_VALIDITY).map_err(anyhow::Error::from)?,
        limits: Limits { bytes: MAX_UPLOAD_BYTES, pixels: MAX_PIXELS },
    };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
}

async fn get(Extension(api): Extension<Arc<Api>>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    // The latest upload is read first, so that an image that becomes ready in between is included, even
    // though its status is still pending.
    let latest = api.images.latest(&sku).await?;
    let current = api.images.current(&sku).await?;
    // The records of uploads expire; that of the current image does not.
    let Some(latest) = latest.as_ref().or(current.as_ref()) else {
        return Err(Problem::not_found(format!(
            "No image has been uploaded for {sku}. To create an upload, POST /products/{sku}/image."
        )));
    };
    let (status, reason) = match &latest.state {
        UploadState::Pending => (Status::Pending, None),
        UploadState::Ready { .. } => (Status::Ready, None),
        UploadState::Rejected { reason, .. } => (Status::Rejected, Some(*reason)),
    };
    let image = match &current {
        Some(current) => api.view(current).await?,
        None => None,
    };
    let explanation = reason.map(|reason| reason.explanation());
    Ok(Json(ProductImageView { sku, upload_id: latest.id, status, reason, explanation, image })
        .into_response())
}

impl Api {
    async fn view(&self, upload: &Upload) -> anyhow::Result<Option<ImageView>> {
        let UploadState::Ready { at, image } = &upload.state else { return Ok(None) };
        let mut renditions = Vec::with_capacity(image.renditions.len());
        for it in &image.renditions {
            renditions.push(RenditionView {
                size: it.size,
                format: it.format,
                width: it.width,
                height: it.height,
                bytes: it.bytes,
                url: self.renditions.presigned_url(&it.key, LINK_VALIDITY, None).await?,
            });
        }
        let original = image.original.clone();
        Ok(Some(ImageView { upload_id: upload.id, ready_at: *at, original, renditions }))
    }
}
