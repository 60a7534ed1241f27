//! What clients send and are shown.

use std::collections::BTreeMap;

use domain::product::{Original, RejectReason, RenditionFormat, RenditionSize};
use domain::{Sku, UploadId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The body of `POST /products/{sku}/image`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AskForUpload {
    /// As what the file is sent. It is judged by its content all the same.
    pub(crate) content_type: ContentType,
}

/// The media types of the pictures that are taken.
#[derive(Debug, Clone, Copy, eserde::Deserialize, JsonSchema)]
pub(crate) enum ContentType {
    /// JPEG.
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// PNG.
    #[serde(rename = "image/png")]
    Png,
    /// GIF. Its first frame is shown.
    #[serde(rename = "image/gif")]
    Gif,
    /// WebP. Its first frame is shown.
    #[serde(rename = "image/webp")]
    Webp,
}

impl ContentType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UploadForm")]
pub(crate) struct UploadFormView {
    /// Names the upload.
    pub(crate) upload_id: UploadId,
    /// Where to POST the file to, as `multipart/form-data`.
    pub(crate) url: String,
    /// The fields of the form, as they are. The field `file` comes behind them, last.
    pub(crate) fields: BTreeMap<String, String>,
    /// Until when the form is good.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) expires_at: Timestamp,
    /// What is taken.
    pub(crate) limits: Limits,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UploadLimits")]
pub(crate) struct Limits {
    /// The most bytes.
    pub(crate) bytes: u32,
    /// The most pixels: width times height.
    pub(crate) pixels: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductImage")]
pub(crate) struct ProductImageView {
    /// Of which product.
    pub(crate) sku: Sku,
    /// The upload that was asked for last.
    pub(crate) upload_id: UploadId,
    /// What became of it.
    pub(crate) status: Status,
    /// Why it is not taken, if it is not.
    pub(crate) reason: Option<RejectReason>,
    /// The same for people, and what to do.
    pub(crate) explanation: Option<&'static str>,
    /// The product's picture: that of the newest upload that became ready. Null where none has.
    pub(crate) image: Option<ImageView>,
}

#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "UploadStatus")]
pub(crate) enum Status {
    /// The file has not come yet, or is being looked at.
    Pending,
    /// Its picture can be shown.
    Ready,
    /// It is not taken.
    Rejected,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Image")]
pub(crate) struct ImageView {
    /// The upload that it came with.
    pub(crate) upload_id: UploadId,
    /// Since when it can be shown.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub(crate) ready_at: Timestamp,
    /// What is known of the file that was uploaded.
    pub(crate) original: Original,
    /// Each size in each format.
    pub(crate) renditions: Vec<RenditionView>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ImageRendition")]
pub(crate) struct RenditionView {
    /// What it is for.
    pub(crate) size: RenditionSize,
    /// What it is.
    pub(crate) format: RenditionFormat,
    /// Pixels from left to right.
    pub(crate) width: u32,
    /// Pixels from top to bottom.
    pub(crate) height: u32,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// Where it is, for an hour: ask again after that.
    pub(crate) url: String,
}
