//! `media-api`: asks for uploads, and shows what became of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State as Extension};
use axum::response::{IntoResponse, Response};
use domain::product::{Upload, UploadState};
use domain::{Sku, UploadId};
use http::{StatusCode, header};
use platform::Clock;
use platform::http::{
    Access, Json, Operation, OperationDescription, Problem, RequestCause, Routes, Scope, parse_path_parameter,
};
use platform::objects::ObjectStore;

use crate::MOST_BYTES;
use crate::picture::MOST_PIXELS;
use crate::process::quarantine_key;
use crate::store::{Images, Permit, UploadForms};
use crate::view::{AskForUpload, ImageView, Limits, ProductImageView, RenditionView, Status, UploadFormView};

/// How long a form is good: long enough for a slow line, too short to be passed around.
const FORM_GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// How long a link to a rendition is good. It ends sooner where the function's credentials do.
const LINK_GOOD_FOR: Duration = Duration::from_secs(60 * 60);

/// What the routes work on.
pub struct Api {
    /// What is known of uploads.
    pub images: Arc<dyn Images>,
    /// Lets clients send files.
    pub forms: Arc<dyn UploadForms>,
    /// Where pictures are that can be shown.
    pub renditions: Arc<dyn ObjectStore>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let image = "/products/{sku}/image";
    let staff = Access::Scope(Scope::InventoryWrite);
    Routes::default()
        .add(Operation::post(image, "askForImageUpload", staff, about_ask), ask)
        .add(Operation::get(image, "readProductImage", Access::Public, about_read), read)
}

fn about_ask(it: &mut OperationDescription) {
    it.about(
        "Ask for an upload of a product's picture",
        "The answer is a form: POST it to its `url` as `multipart/form-data`, with its `fields` as they are and the field \
         `file` last. Then read the picture until its `status` is no longer `pending`. A file counts by its content, \
         whatever its name and type. Nobody sees it before it is scanned for malware; what is shown is made anew of its \
         pixels, without its metadata.",
    )
    .path::<Sku>("sku", "Of which product.")
    .body::<AskForUpload>()
    .response::<UploadFormView>(201, "The form.")
    .with_header("Location", "Where to read what became of it.");
}

fn about_read(it: &mut OperationDescription) {
    it.about(
        "Read a product's picture",
        "What became of the upload that was asked for last, and the picture of the newest one that became ready.",
    )
    .path::<Sku>("sku", "Of which product.")
    .response::<ProductImageView>(200, "The picture.")
    .problem(404, "not-found", "No picture was ever uploaded for this product.");
}

async fn ask(
    Extension(api): Extension<Arc<Api>>,
    Path(sku): Path<String>,
    RequestCause(cause): RequestCause,
    body: Json<AskForUpload>,
) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    let (id, now) = (UploadId::from(api.clock.new_id()), api.clock.now());
    let permit = Permit {
        key: quarantine_key(&sku, id),
        content_type: body.0.content_type.name().to_owned(),
        most_bytes: MOST_BYTES,
        from: now,
        good_for: FORM_GOOD_FOR,
    };
    let form = api.forms.form(&permit).await?;
    let location = format!("/v1/products/{sku}/image");
    api.images.ask(&Upload { sku, id, requested_at: now, cause, state: UploadState::Pending }).await?;
    let view = UploadFormView {
        upload_id: id,
        url: form.url,
        fields: form.fields,
        expires_at: now.saturating_add(FORM_GOOD_FOR).map_err(anyhow::Error::from)?,
        limits: Limits { bytes: MOST_BYTES, pixels: MOST_PIXELS },
    };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(view)).into_response())
}

async fn read(Extension(api): Extension<Arc<Api>>, Path(sku): Path<String>) -> Result<Response, Problem> {
    let sku: Sku = parse_path_parameter("sku", &sku)?;
    // The newest first: a picture that becomes ready in between is shown, if not yet said to be.
    let newest = api.images.newest(&sku).await?;
    let current = api.images.current(&sku).await?;
    // What is known of uploads is forgotten after a while, the picture is not.
    let Some(newest) = newest.as_ref().or(current.as_ref()) else {
        return Err(Problem::not_found(format!(
            "No picture was ever uploaded for {sku}. POST /products/{sku}/image asks for an upload."
        )));
    };
    let (status, reason) = match &newest.state {
        UploadState::Pending => (Status::Pending, None),
        UploadState::Ready { .. } => (Status::Ready, None),
        UploadState::Rejected { reason, .. } => (Status::Rejected, Some(*reason)),
    };
    let image = match &current {
        Some(current) => api.view(current).await?,
        None => None,
    };
    let explanation = reason.map(|reason| reason.explanation());
    Ok(Json(ProductImageView { sku, upload_id: newest.id, status, reason, explanation, image })
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
                url: self.renditions.presigned_url(&it.key, LINK_GOOD_FOR, None).await?,
            });
        }
        let original = image.original.clone();
        Ok(Some(ImageView { upload_id: upload.id, ready_at: *at, original, renditions }))
    }
}
