//! Rendering on a thread of its own.

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::RejectReason;

use crate::rendition::{Rendered, Renderer, render};

/// The renderer that leaves the thread of the async runtime free: decoding takes seconds, and the host enforces its
/// deadline meanwhile.
#[derive(Debug, Clone, Copy)]
pub struct BlockingRenderer;

#[async_trait]
impl Renderer for BlockingRenderer {
    async fn render(&self, content: Bytes) -> anyhow::Result<Result<Rendered, RejectReason>> {
        match tokio::task::spawn_blocking(move || render(&content)).await {
            Ok(rendered) => Ok(rendered),
            // A retry would panic again.
            Err(error) if error.is_panic() => {
                tracing::error!(%error, "a decoder panicked");
                Ok(Err(RejectReason::Malformed))
            }
            Err(error) => Err(error.into()),
        }
    }
}
