//! The request body of the API.

use schemars::JsonSchema;
use strum::AsRefStr;

/// The body of `POST /products/{sku}/image`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateImageUpload {
    /// The media type that the file is uploaded with. The format is detected from the content regardless.
    pub(crate) content_type: ContentType,
}

/// The media types that are accepted.
#[derive(Debug, Clone, Copy, eserde::Deserialize, JsonSchema, AsRefStr)]
#[strum(prefix = "image/", serialize_all = "snake_case")]
pub(crate) enum ContentType {
    /// JPEG (ITU-T T.81).
    #[serde(rename = "image/jpeg")]
    Jpeg,
    /// PNG (ISO/IEC 15948).
    #[serde(rename = "image/png")]
    Png,
    /// GIF. Of an animation, only the first frame is shown.
    #[serde(rename = "image/gif")]
    Gif,
    /// WebP. Of an animation, only the first frame is shown.
    #[serde(rename = "image/webp")]
    Webp,
}
