//! The life cycle of an image that is uploaded for a product.
//!
//! An upload is `pending` until it is `ready` or `rejected`; both are final. The image of a product is that
//! of its newest upload that is ready.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strum::AsRefStr;

use crate::event::{Cause, Event};
use crate::fact::{EventPayload, facts};
use crate::id::{Sku, UploadId};

facts! {
    /// A fact about a product.
    enum ProductFact, ProductFactKind {
        /// An image that was uploaded for the product is ready to be shown.
        ImageReady(ImageReady) = "product.image_ready" from "media",
        /// An image that was uploaded for the product was rejected and will never be shown.
        ImageRejected(ImageRejected) = "product.image_rejected" from "media",
    }
}

/// `product.image_ready`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImageReady {
    /// The id of the upload. A consumer that stores the image of a product keeps the one with the greatest
    /// id.
    pub upload_id: UploadId,
    /// The image, with all of its renditions.
    pub image: Image,
}

/// `product.image_rejected`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImageRejected {
    /// The id of the upload.
    pub upload_id: UploadId,
    /// The reason for the rejection.
    pub reason: RejectReason,
}

impl EventPayload for ProductFact {
    type Subject = Sku;

    fn name(&self) -> &'static str {
        Self::name(self)
    }

    fn source(&self) -> &'static str {
        self.kind().source()
    }

    fn schema_version(&self) -> u32 {
        1
    }

    /// Each upload has one final state, so the id of the upload suffices.
    fn identity(&self) -> String {
        let upload = match self {
            Self::ImageReady(ready) => ready.upload_id,
            Self::ImageRejected(rejected) => rejected.upload_id,
        };
        format!("{}/{upload}", self.name())
    }
}

/// An image in the sizes that a shop shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// The properties of the uploaded file. No other metadata is kept.
    pub original: Original,
    /// One rendition for each size and format.
    pub renditions: Vec<Rendition>,
}

/// The properties of an uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Original {
    /// The format, detected from the content.
    pub format: OriginalFormat,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The width in pixels as stored, before `orientation` is applied.
    pub width: u32,
    /// The height in pixels as stored, before `orientation` is applied.
    pub height: u32,
    /// The Exif orientation, 1 to 8, where 1 is neither rotated nor mirrored. It is already applied to the
    /// renditions.
    #[schemars(range(min = 1, max = 8))]
    pub orientation: u8,
    /// Whether the image is animated. The renditions show its first frame.
    pub animated: bool,
    /// How the colours were converted.
    pub colors: Colors,
}

/// The formats that are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginalFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
    /// GIF (version 87a or 89a).
    Gif,
    /// WebP (RFC 9649).
    Webp,
}

/// How the colours of an image were converted. Renditions are always sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Colors {
    /// The image has no colour profile and was assumed to be sRGB.
    AssumedSrgb,
    /// The image was converted from its colour profile.
    ConvertedFromProfile,
    /// The image has an unusable colour profile and was assumed to be sRGB.
    ProfileIgnored,
}

/// An image in one size and format.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Rendition {
    /// The size, named by its use.
    pub size: RenditionSize,
    /// The file format.
    pub format: RenditionFormat,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The size of the file in bytes.
    pub bytes: u64,
    /// The object key in the bucket of renditions. The object under a key never changes.
    pub key: String,
}

/// The size of a rendition, named by its use. A rendition fits into a square and is never larger than the
/// original.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, AsRefStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum RenditionSize {
    /// For lists and shopping carts: at most 160 × 160 pixels.
    Thumbnail,
    /// For category pages: at most 480 × 480 pixels.
    Card,
    /// For the product page: at most 1600 × 1600 pixels.
    Full,
}

impl RenditionSize {
    /// All sizes, largest first: each rendition is made from the previous one.
    pub const ALL: [Self; 3] = [Self::Full, Self::Card, Self::Thumbnail];

    /// Returns the side of the square that the rendition fits into, in pixels.
    pub fn max_side(self) -> u32 {
        match self {
            Self::Thumbnail => 160,
            Self::Card => 480,
            Self::Full => 1600,
        }
    }
}

/// The file format of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionFormat {
    /// WebP: smaller, and supports transparency.
    Webp,
    /// JPEG: for clients without WebP support, such as some mail programs. Transparent areas are white.
    Jpeg,
}

impl RenditionFormat {
    /// Returns the media type (RFC 9649, RFC 2046).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// Returns the file name extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Webp => "webp",
            Self::Jpeg => "jpg",
        }
    }
}

/// The reason why an image is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The scanner found malware in the file.
    Malware,
    /// The scanner does not support the file.
    NotScannable,
    /// The scan failed. Another upload may succeed.
    ScanFailed,
    /// The file exceeds the maximum size.
    TooLarge,
    /// The image exceeds the maximum number of pixels.
    TooManyPixels,
    /// The file is not a JPEG, PNG, GIF or WebP image, whatever its name.
    NotAnImage,
    /// The file is damaged, truncated or crafted to overload the decoder.
    Malformed,
    /// The file was deleted or replaced before it was processed.
    Expired,
}

impl RejectReason {
    /// Returns what is wrong and what to do, for users.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Malware => "The scanner found malware in the file. Check its origin.",
            Self::NotScannable => {
                "The scanner does not support the file. Save the image as a new file and upload that."
            }
            Self::ScanFailed => "The scan of the file failed. Upload it again.",
            Self::TooLarge => {
                "The file is too large. Save the image with fewer pixels or at a lower quality."
            }
            Self::TooManyPixels => "The image has too many pixels. Save it with fewer.",
            Self::NotAnImage => {
                "The file is not a JPEG, PNG, GIF or WebP image. Its content counts, not its name."
            }
            Self::Malformed => {
                "The file is damaged or incomplete. Save the image as a new file and upload that."
            }
            Self::Expired => "The file was deleted before it was processed. Upload it again.",
        }
    }
}

/// An upload that a client requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// The SKU of the product.
    pub sku: Sku,
    /// The id of the upload.
    pub id: UploadId,
    /// The time of the request.
    #[serde(rename = "asked_at")]
    pub requested_at: Timestamp,
    /// The cause of the upload: the request.
    pub cause: Cause,
    /// The state of the upload.
    pub state: UploadState,
}

/// The state of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, AsRefStr)]
#[serde(tag = "status", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum UploadState {
    /// The file has not been processed yet.
    Pending,
    /// The image is ready to be shown.
    Ready {
        /// The time of completion.
        at: Timestamp,
        /// The image, with all of its renditions.
        image: Image,
    },
    /// The image was rejected and will never be shown.
    Rejected {
        /// The time of the rejection.
        at: Timestamp,
        /// The reason for the rejection.
        reason: RejectReason,
    },
}

/// The result of processing an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessingResult {
    /// The file is harmless, and this is its image.
    Ready(Image),
    /// The file is rejected.
    Rejected(RejectReason),
}

impl Upload {
    /// Returns the completed upload, or `None` if it was completed before: the first result counts.
    pub fn complete(&self, result: ProcessingResult, at: Timestamp) -> Option<Self> {
        if self.state != UploadState::Pending {
            return None;
        }
        let state = match result {
            ProcessingResult::Ready(image) => UploadState::Ready { at, image },
            ProcessingResult::Rejected(reason) => UploadState::Rejected { at, reason },
        };
        Some(Self { state, ..self.clone() })
    }

    /// Returns whether the image of this upload replaces that of the upload `current`.
    pub fn replaces(&self, current: Option<UploadId>) -> bool {
        matches!(self.state, UploadState::Ready { .. }) && current.is_none_or(|current| current < self.id)
    }

    /// Returns the event that reports the completion, or `None` while the upload is pending. Every call
    /// returns the same event.
    pub fn event(&self) -> Option<Event<ProductFact>> {
        let (at, fact) = match &self.state {
            UploadState::Pending => return None,
            UploadState::Ready { at, image } => {
                (*at, ProductFact::ImageReady(ImageReady { upload_id: self.id, image: image.clone() }))
            }
            UploadState::Rejected { at, reason } => {
                (*at, ProductFact::ImageRejected(ImageRejected { upload_id: self.id, reason: *reason }))
            }
        };
        Some(Event::new(self.sku.clone(), fact, at, self.cause.clone()))
    }
}

#[cfg(test)]
mod tests;
