//! `process-upload`: uploaded file and scan verdict → renditions of the image, or the reason for its
//! rejection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{Image, ProcessingResult, ProductFact, RejectReason, Rendition, Upload, UploadState};
use domain::{Event, Sku, UploadId};
use platform::objects::{Object, ObjectStore};
use platform::{Clock, Failure, Labels, MessageHandler};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::MAX_UPLOAD_BYTES;
use crate::rendition::{Rendered, RenderedFile, Renderer};
use crate::scan::{Scanner, Verdict};
use crate::store::{Images, Quarantine, ReadOutcome};

/// The key prefix of files in quarantine.
const UPLOAD_PREFIX: &str = "uploads";
/// The number of bytes of the content hash in the key of a rendition: 128 bits make collisions negligible.
const HASH_BYTES: usize = 16;

/// The message handler.
#[expect(missing_docs, reason = "the fields say it")]
pub struct ProcessUpload {
    pub images: Arc<dyn Images>,
    pub quarantine: Arc<dyn Quarantine>,
    pub scanner: Arc<dyn Scanner>,
    pub renderer: Arc<dyn Renderer>,
    /// The bucket of the renditions.
    pub renditions: Arc<dyn ObjectStore>,
    pub clock: Arc<dyn Clock>,
}

/// Returns the object key of an upload in quarantine.
pub fn quarantine_key(sku: &Sku, id: UploadId) -> String {
    format!("{UPLOAD_PREFIX}/{sku}/{id}")
}

fn parse_quarantine_key(key: &str) -> Option<(Sku, UploadId)> {
    let (sku, id) = key.strip_prefix(UPLOAD_PREFIX)?.strip_prefix('/')?.split_once('/')?;
    Some((sku.parse().ok()?, id.parse().ok()?))
}

#[async_trait]
impl MessageHandler<ProductFact> for ProcessUpload {
    fn labels(&self, message: &Value) -> Labels {
        let text = |name: &str| message.get(name)?.as_str();
        let short = |name: &str| text(name).map(|text| text.chars().take(128).collect());
        let time = text("time").and_then(|time| time.parse().ok());
        Labels { event_type: short("detail-type"), event_id: short("id"), time, ..Labels::default() }
    }

    async fn handle_message(&self, message: Value, _: Duration) -> Result<Vec<Event<ProductFact>>, Failure> {
        let request = self.scanner.parse_message(&message)?;
        let key = &request.file.key;
        let (sku, id) = parse_quarantine_key(key)
            .ok_or_else(|| Failure::reject(format!("{key} is not the key of an upload")))?;
        let Some(upload) = self.images.get(&sku, id).await? else {
            return Err(Failure::reject(format!("upload {id} of {sku} was never created or has expired")));
        };
        let upload = if upload.state == UploadState::Pending {
            let content = self.quarantine.read(&request.file, MAX_UPLOAD_BYTES).await?;
            let result = match content {
                ReadOutcome::Gone => ProcessingResult::Rejected(RejectReason::Expired),
                ReadOutcome::TooLarge => ProcessingResult::Rejected(RejectReason::TooLarge),
                ReadOutcome::File(content) => match self.scanner.scan(&request, content.clone()).await? {
                    Verdict::Clean => self.store_renditions(&sku, content).await?,
                    Verdict::Infected { threat } => {
                        tracing::warn!(%sku, upload_id = %id, threat, "malware was uploaded");
                        ProcessingResult::Rejected(RejectReason::Malware)
                    }
                    Verdict::NotScannable => ProcessingResult::Rejected(RejectReason::NotScannable),
                    Verdict::Failed => ProcessingResult::Rejected(RejectReason::ScanFailed),
                },
            };
            self.complete(upload, result).await?
        } else {
            upload
        };
        tracing::info!(%sku, upload_id = %id, state = ?upload.state.as_ref(), "the upload is completed");
        Ok(upload.event().into_iter().collect())
    }
}

impl ProcessUpload {
    async fn complete(&self, upload: Upload, result: ProcessingResult) -> anyhow::Result<Upload> {
        match upload.complete(result, self.clock.now()) {
            Some(completed) => self.images.complete(&completed).await,
            None => Ok(upload),
        }
    }

    /// Renders the image and stores the renditions, before any record or event refers to them.
    async fn store_renditions(&self, sku: &Sku, content: Bytes) -> anyhow::Result<ProcessingResult> {
        let Rendered { original, files } = match self.renderer.render(content).await? {
            Ok(rendered) => rendered,
            Err(reason) => return Ok(ProcessingResult::Rejected(reason)),
        };
        let mut renditions = Vec::with_capacity(files.len());
        for file in files {
            renditions.push(self.store_rendition(sku, file).await?);
        }
        Ok(ProcessingResult::Ready(Image { original, renditions }))
    }

    /// Stores a rendition under a key that contains the hash of its content, so that the write is idempotent
    /// and clients may cache the file indefinitely.
    async fn store_rendition(&self, sku: &Sku, file: RenderedFile) -> anyhow::Result<Rendition> {
        let RenderedFile { size, format, width, height, content } = file;
        let hash = hex::encode(&Sha256::digest(&content)[..HASH_BYTES]);
        let key = format!("products/{sku}/{}-{hash}.{}", size.as_ref(), format.extension());
        let bytes = u64::try_from(content.len())?;
        let content_type = format.media_type().to_owned();
        self.renditions
            .write_if_absent(Object { key: key.clone(), content_type, body: content.into() })
            .await?;
        Ok(Rendition { size, format, width, height, bytes, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarantine_keys_identify_the_upload() {
        let (sku, id) = ("TEA-001".parse().unwrap(), "01a207e7-51d0-774b-bcce-b302099a8057".parse().unwrap());
        assert_eq!(parse_quarantine_key(&quarantine_key(&sku, id)), Some((sku, id)));
        for wrong in [
            "uploads/TEA-001",
            "uploads/TEA-001/01A207E7-51D0-774B-BCCE-B302099A8057",
            "uploads/TEA-001/../01a207e7-51d0-774b-bcce-b302099a8057",
            "other/TEA-001/01a207e7-51d0-774b-bcce-b302099a8057",
            "uploadsTEA-001/01a207e7-51d0-774b-bcce-b302099a8057",
        ] {
            assert_eq!(parse_quarantine_key(wrong), None, "{wrong}");
        }
    }
}
