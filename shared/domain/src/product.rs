//! What becomes of a picture that is uploaded for a product.
//!
//! An upload is `pending` until it is `ready` or `rejected`; both are final. A product's picture is that of the newest
//! upload that became ready.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{Cause, Event, EventPayload};
use crate::id::{Sku, UploadId};

/// What can happen to a product.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", content = "data")]
pub enum ProductFact {
    /// A picture that was uploaded for the product can be shown.
    #[serde(rename = "product.image_ready")]
    ImageReady(ImageReady),
    /// A picture that was uploaded for the product will never be shown.
    #[serde(rename = "product.image_rejected")]
    ImageRejected(ImageRejected),
}

/// `product.image_ready`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImageReady {
    /// Which upload it was. A consumer that keeps a product's picture keeps the one with the greatest id.
    pub upload_id: UploadId,
    /// The picture.
    pub image: Image,
}

/// `product.image_rejected`
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImageRejected {
    /// Which upload it was.
    pub upload_id: UploadId,
    /// Why.
    pub reason: RejectReason,
}

impl EventPayload for ProductFact {
    type Subject = Sku;

    fn name(&self) -> &'static str {
        match self {
            Self::ImageReady(_) => "product.image_ready",
            Self::ImageRejected(_) => "product.image_rejected",
        }
    }

    fn source(&self) -> &'static str {
        "media"
    }

    fn schema_version(&self) -> u32 {
        1
    }

    /// Each upload ends once.
    fn identity(&self) -> String {
        let upload = match self {
            Self::ImageReady(ready) => ready.upload_id,
            Self::ImageRejected(rejected) => rejected.upload_id,
        };
        format!("{}/{upload}", self.name())
    }
}

/// A picture in the sizes that a shop shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Image {
    /// What is known of the file that was uploaded. Nothing else of its metadata is kept.
    pub original: Original,
    /// Each size in each format.
    pub renditions: Vec<Rendition>,
}

/// A file that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Original {
    /// What it is, by its content.
    pub format: OriginalFormat,
    /// Its size in bytes.
    pub bytes: u64,
    /// Pixels from left to right, as it is stored: before `orientation` is applied.
    pub width: u32,
    /// Pixels from top to bottom, as it is stored.
    pub height: u32,
    /// How it is turned and mirrored to be shown, as Exif counts: 1 as it is, to 8. The renditions are turned already.
    #[schemars(range(min = 1, max = 8))]
    pub orientation: u8,
    /// Whether it moves. The renditions show its first frame.
    pub animated: bool,
    /// What was done about its colours.
    pub colors: Colors,
}

/// The formats that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OriginalFormat {
    /// JPEG (ITU-T T.81).
    Jpeg,
    /// PNG.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
}

/// What was done about a picture's colours. Renditions are always sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Colors {
    /// It has no profile, and was taken for sRGB.
    AssumedSrgb,
    /// It was converted from the profile that it has.
    ConvertedFromProfile,
    /// It has a profile that could not be used, and was taken for sRGB.
    ProfileIgnored,
}

/// A picture as a shop shows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Rendition {
    /// What it is for.
    pub size: RenditionSize,
    /// What it is.
    pub format: RenditionFormat,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its name in the bucket of renditions. What is under that name never changes.
    pub key: String,
}

/// What a rendition is for. It fits into a square, and is never larger than the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionSize {
    /// A list or a basket: 160 × 160 pixels at most.
    Thumbnail,
    /// One of many on a page: 480 × 480 pixels at most.
    Card,
    /// The product's own page: 1600 × 1600 pixels at most.
    Full,
}

impl RenditionSize {
    /// All of them, largest first: each is made of the one before.
    pub const ALL: [Self; 3] = [Self::Full, Self::Card, Self::Thumbnail];

    /// The sides of the square that it fits into, in pixels.
    pub fn max_side(self) -> u32 {
        match self {
            Self::Thumbnail => 160,
            Self::Card => 480,
            Self::Full => 1600,
        }
    }

    /// Its name in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::Card => "card",
            Self::Full => "full",
        }
    }
}

/// What a rendition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RenditionFormat {
    /// WebP: the smaller one, with transparency.
    Webp,
    /// JPEG: for what shows no WebP, such as some mail programs. Transparency is white.
    Jpeg,
}

impl RenditionFormat {
    /// Its media type (RFC 9649, RFC 2046).
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }

    /// The end of the names of such files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Webp => "webp",
            Self::Jpeg => "jpg",
        }
    }
}

/// Why a picture is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// The scanner found malware in it.
    Malware,
    /// The scanner cannot look into it.
    NotScannable,
    /// The scanner failed at it. Another upload may work.
    ScanFailed,
    /// It has more bytes than are taken.
    TooLarge,
    /// It has more pixels than are taken.
    TooManyPixels,
    /// It is no JPEG, PNG, GIF or WebP, whatever it is called.
    NotAnImage,
    /// It is damaged, cut off, or made to be hard to read.
    Malformed,
    /// It was removed, or replaced, before it was looked at.
    Expired,
}

impl RejectReason {
    /// What is wrong and what to do, for people.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Malware => "The scanner found malware in the file. Check where it comes from.",
            Self::NotScannable => {
                "The scanner cannot look into the file. Save the picture anew and upload that."
            }
            Self::ScanFailed => "The scanner failed at the file. Upload it once more.",
            Self::TooLarge => "The file is too large. Save the picture with fewer pixels or a lower quality.",
            Self::TooManyPixels => "The picture has too many pixels. Save it with fewer.",
            Self::NotAnImage => {
                "The file is no JPEG, PNG, GIF or WebP. What counts is its content, not its name."
            }
            Self::Malformed => "The file is damaged or not complete. Save the picture anew and upload that.",
            Self::Expired => "The file was gone before it was looked at. Upload it once more.",
        }
    }
}

/// Something that a client asked to upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    /// For which product.
    pub sku: Sku,
    /// Its name.
    pub id: UploadId,
    /// When a client asked.
    #[serde(rename = "asked_at")]
    pub requested_at: Timestamp,
    /// What led to it.
    pub cause: Cause,
    /// What became of it.
    pub state: UploadState,
}

/// What became of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum UploadState {
    /// Nothing yet.
    Pending,
    /// It can be shown.
    Ready {
        /// Since when.
        at: Timestamp,
        /// The picture.
        image: Image,
    },
    /// It will never be shown.
    Rejected {
        /// Since when.
        at: Timestamp,
        /// Why.
        reason: RejectReason,
    },
}

/// What was found out about an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessingResult {
    /// It is harmless, and a picture.
    Ready(Image),
    /// It is not taken.
    Rejected(RejectReason),
}

impl Upload {
    /// The upload, now that something is known of it. `None` where it was decided before: the first to find something out
    /// decides.
    pub fn complete(&self, finding: ProcessingResult, at: Timestamp) -> Option<Self> {
        if self.state != UploadState::Pending {
            return None;
        }
        let state = match finding {
            ProcessingResult::Ready(image) => UploadState::Ready { at, image },
            ProcessingResult::Rejected(reason) => UploadState::Rejected { at, reason },
        };
        Some(Self { state, ..self.clone() })
    }

    /// Whether it takes the place of the picture of the upload `current`.
    pub fn replaces(&self, current: Option<UploadId>) -> bool {
        matches!(self.state, UploadState::Ready { .. }) && current.is_none_or(|current| current < self.id)
    }

    /// What the bus is told of it: the same each time. Nothing while it is pending.
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
