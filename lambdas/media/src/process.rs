//! `process-upload`: a file came into quarantine, and is harmless or not → a picture that can be shown, or a reason why not.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{Image, ProcessingResult, ProductFact, RejectReason, Rendition, Upload, UploadState};
use domain::{Event, Sku, UploadId};
use platform::host::record::Labels;
use platform::objects::{Object, ObjectStore};
use platform::{Clock, Failure, MessageHandler};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::MOST_BYTES;
use crate::picture::{Rendered, RenderedFile, render};
use crate::scan::{Scanner, Verdict};
use crate::store::{Found, Images, Quarantine};

/// What the names of files in quarantine start with.
const UPLOADS: &str = "uploads";
/// How many hexadecimal digits of a file's hash are in its name: 128 bits tell any two apart.
const DIGITS: usize = 32;

/// The handler.
pub struct ProcessUpload {
    /// What is known of uploads.
    pub images: Arc<dyn Images>,
    /// Where the files are.
    pub quarantine: Arc<dyn Quarantine>,
    /// Says whether they are harmless.
    pub scanner: Arc<dyn Scanner>,
    /// Where pictures go that can be shown.
    pub renditions: Arc<dyn ObjectStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The name of an upload's file in quarantine.
pub fn quarantine_key(sku: &Sku, id: UploadId) -> String {
    format!("{UPLOADS}/{sku}/{id}")
}

fn upload_of(key: &str) -> Option<(Sku, UploadId)> {
    let (sku, id) = key.strip_prefix(UPLOADS)?.strip_prefix('/')?.split_once('/')?;
    Some((sku.parse().ok()?, id.parse().ok()?))
}

#[async_trait]
impl MessageHandler<ProductFact> for ProcessUpload {
    fn labels(&self, message: &Value) -> Labels {
        let text = |name: &str| message.get(name)?.as_str().map(|text| text.chars().take(128).collect());
        Labels { event_type: text("detail-type"), event_id: text("id"), order_id: None, correlation_id: None }
    }

    async fn handle_message(&self, message: Value, _: Duration) -> Result<Vec<Event<ProductFact>>, Failure> {
        let arrival = self.scanner.arrival(&message)?;
        let key = &arrival.file.key;
        let (sku, id) =
            upload_of(key).ok_or_else(|| Failure::reject(format!("{key} is no name of an upload")))?;
        let Some(upload) = self.images.get(&sku, id).await? else {
            return Err(Failure::reject(format!("nobody asked for the upload {id} of {sku}, or long ago")));
        };
        let upload = if upload.state == UploadState::Pending {
            let content = self.quarantine.read(&arrival.file, MOST_BYTES).await?;
            let finding = match content {
                Found::Gone => ProcessingResult::Rejected(RejectReason::Expired),
                Found::TooLarge => ProcessingResult::Rejected(RejectReason::TooLarge),
                Found::File(content) => match self.scanner.scan(&arrival, content.clone()).await? {
                    Verdict::Clean => self.make(&sku, content).await?,
                    Verdict::Infected { threat } => {
                        tracing::warn!(%sku, upload_id = %id, threat, "malware was uploaded");
                        ProcessingResult::Rejected(RejectReason::Malware)
                    }
                    Verdict::NotScannable => ProcessingResult::Rejected(RejectReason::NotScannable),
                    Verdict::Failed => ProcessingResult::Rejected(RejectReason::ScanFailed),
                },
            };
            self.decide(upload, finding).await?
        } else {
            upload
        };
        tracing::info!(%sku, upload_id = %id, state = ?outcome(&upload), "the upload is decided");
        Ok(upload.event().into_iter().collect())
    }
}

fn outcome(upload: &Upload) -> &'static str {
    match &upload.state {
        UploadState::Pending => "pending",
        UploadState::Ready { .. } => "ready",
        UploadState::Rejected { .. } => "rejected",
    }
}

impl ProcessUpload {
    async fn decide(&self, upload: Upload, finding: ProcessingResult) -> anyhow::Result<Upload> {
        match upload.complete(finding, self.clock.now()) {
            Some(decided) => self.images.decide(&decided).await,
            None => Ok(upload),
        }
    }

    /// Makes the renditions, and writes them before anything says that they are there.
    async fn make(&self, sku: &Sku, content: Bytes) -> anyhow::Result<ProcessingResult> {
        // Decoding takes seconds. On a thread of its own, the host can still stop waiting for it.
        let rendered = match tokio::task::spawn_blocking(move || render(&content)).await {
            Ok(Ok(rendered)) => rendered,
            Ok(Err(reason)) => return Ok(ProcessingResult::Rejected(reason)),
            // The same file would bring the decoder down again.
            Err(error) if error.is_panic() => {
                tracing::error!(%sku, %error, "a decoder panicked");
                return Ok(ProcessingResult::Rejected(RejectReason::Malformed));
            }
            Err(error) => return Err(error.into()),
        };
        let Rendered { original, files } = rendered;
        let mut renditions = Vec::with_capacity(files.len());
        for file in files {
            renditions.push(self.write(sku, file).await?);
        }
        Ok(ProcessingResult::Ready(Image { original, renditions }))
    }

    /// A name that says what is in the file: writing it twice is writing it once, and whoever has it may keep it for ever.
    async fn write(&self, sku: &Sku, file: RenderedFile) -> anyhow::Result<Rendition> {
        let RenderedFile { size, format, width, height, content } = file;
        let hash: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
        let hash: String = hash.chars().take(DIGITS).collect();
        let key = format!("products/{sku}/{}-{hash}.{}", size.name(), format.extension());
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
    fn a_file_in_quarantine_names_its_upload() {
        let (sku, id) = ("TEA-001".parse().unwrap(), "01a207e7-51d0-774b-bcce-b302099a8057".parse().unwrap());
        assert_eq!(upload_of(&quarantine_key(&sku, id)), Some((sku, id)));
        for wrong in [
            "uploads/TEA-001",
            "uploads/TEA-001/01A207E7-51D0-774B-BCCE-B302099A8057",
            "uploads/TEA-001/../01a207e7-51d0-774b-bcce-b302099a8057",
            "other/TEA-001/01a207e7-51d0-774b-bcce-b302099a8057",
            "uploadsTEA-001/01a207e7-51d0-774b-bcce-b302099a8057",
        ] {
            assert_eq!(upload_of(wrong), None, "{wrong}");
        }
    }
}
