//! The response bodies of the API.

use std::collections::BTreeMap;

use domain::product::{Original, RejectReason, RenditionFormat, RenditionSize};
use domain::{Sku, UploadId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UploadForm")]
pub(crate) struct UploadFormView {
    /// The id of the upload.
    pub(crate) upload_id: UploadId,
    /// The URL to POST the file to, as `multipart/form-data`.
    pub(crate) url: String,
    /// The fields of the form, to be sent unchanged before the field `file`, which must be the last one.
    pub(crate) fields: BTreeMap<String, String>,
    /// The time at which the form expires.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) expires_at: Timestamp,
    /// The limits on the file.
    pub(crate) limits: Limits,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UploadLimits")]
pub(crate) struct Limits {
    /// The maximum size in bytes.
    pub(crate) bytes: u32,
    /// The maximum number of pixels, width times height.
    pub(crate) pixels: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductImage")]
pub(crate) struct ProductImageView {
    /// The SKU of the product.
    pub(crate) sku: Sku,
    /// The id of the latest upload.
    pub(crate) upload_id: UploadId,
    /// The status of the latest upload.
    pub(crate) status: Status,
    /// The reason for the rejection; null unless the upload is rejected.
    pub(crate) reason: Option<RejectReason>,
    /// An explanation of the reason for users, and what to do; null unless the upload is rejected.
    pub(crate) explanation: Option<&'static str>,
    /// The image of the product, from the newest upload that is ready; null if there is none.
    pub(crate) image: Option<ImageView>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UploadStatus")]
pub(crate) enum Status {
    /// The file has not been uploaded or processed yet.
    Pending,
    /// The image is ready to be shown.
    Ready,
    /// The file was rejected.
    Rejected,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Image")]
pub(crate) struct ImageView {
    /// The id of the upload.
    pub(crate) upload_id: UploadId,
    /// The time at which the image became ready.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) ready_at: Timestamp,
    /// The properties of the uploaded file.
    pub(crate) original: Original,
    /// One rendition for each size and format.
    pub(crate) renditions: Vec<RenditionView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImageRendition")]
pub(crate) struct RenditionView {
    /// The size, named by its use.
    pub(crate) size: RenditionSize,
    /// The file format.
    pub(crate) format: RenditionFormat,
    /// The width in pixels.
    pub(crate) width: u32,
    /// The height in pixels.
    pub(crate) height: u32,
    /// The size of the file in bytes.
    pub(crate) bytes: u64,
    /// A link to the file. It is valid for at most an hour; get the image again for a new link.
    pub(crate) url: String,
}
