//! The ClamAV daemon, over TCP: the command `INSTREAM` of
//! <https://docs.clamav.net/manual/Usage/Scanning.html#clamd>, see `clamd(8)`. The client sends any number of
//! chunks, each prefixed by its length; a length of zero ends the stream.
//!
//! The crate `clamav-client` (2.3) does not fit: when clamd closes the connection because a file is too long, it
//! fails without reading the response, so that the file would be scanned again instead of being rejected; it
//! limits neither the time nor the size of the response; and it leaves parsing the response to its caller.

use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use platform::objects::ObjectCreated;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scan::{ScanRequest, Scanner, Verdict};
use crate::store::FileVersion;

/// The time limit for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time limit for the scan of a file, after which it is retried later.
const SCAN_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum size of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;
/// The maximum size of a response: the name of a threat has a few dozen bytes.
const MAX_RESPONSE_BYTES: u64 = 4096;

/// A `clamd`. Its `StreamMaxLength` must be at least [`crate::MAX_UPLOAD_BYTES`], and `AlertExceedsMax`
/// should be enabled: without it, files that exceed a limit on size or scan time are reported as clean.
#[derive(Debug, Clone)]
pub struct Clamd {
    address: String,
}

impl Clamd {
    /// Creates the adapter for the daemon at `address`, a host name or IP address with a port.
    pub fn new(address: String) -> Self {
        Self { address }
    }

    async fn scan_stream(&self, content: &[u8]) -> anyhow::Result<String> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&self.address)).await;
        let connected = connecting.context("the connection to clamd timed out")?;
        let mut stream = connected.context("clamd is unreachable")?;
        let exchange = tokio::time::timeout(SCAN_TIMEOUT, exchange(&mut stream, content)).await;
        exchange.context("the scan by clamd timed out")?
    }
}

async fn exchange(stream: &mut TcpStream, content: &[u8]) -> anyhow::Result<String> {
    // If clamd closes the connection early because the file is too long, it has sent its response before. The
    // response is therefore read even if sending fails.
    let sent = send(stream, content).await;
    let mut response = Vec::new();
    let read = stream.take(MAX_RESPONSE_BYTES).read_to_end(&mut response).await;
    if response.is_empty() {
        sent.context("the file could not be sent to clamd")?;
        read.context("the response of clamd could not be read")?;
    }
    let text = response.strip_suffix(b"\0").context("the response of clamd is incomplete")?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

async fn send(stream: &mut TcpStream, content: &[u8]) -> std::io::Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    for chunk in content.chunks(CHUNK_BYTES) {
        stream.write_u32(u32::try_from(chunk.len()).unwrap_or_default()).await?;
        stream.write_all(chunk).await?;
    }
    stream.write_u32(0).await?;
    stream.flush().await
}

/// Parses `stream: OK`, `stream: <threat> FOUND` or `<reason> ERROR`.
fn parse_verdict(response: &str) -> anyhow::Result<Verdict> {
    if response.ends_with("ERROR") {
        // A retry would exceed the limit again.
        if response.contains("size limit exceeded") {
            tracing::error!(answer = response, "StreamMaxLength of clamd is below the upload limit");
            return Ok(Verdict::NotScannable);
        }
        bail!("clamd failed: {response}");
    }
    match response.strip_prefix("stream: ") {
        Some("OK") => Ok(Verdict::Clean),
        Some(found) => {
            let threat = found.strip_suffix(" FOUND").with_context(|| unexpected(response))?;
            Ok(Verdict::Infected { threat: threat.to_owned() })
        }
        None => bail!(unexpected(response)),
    }
}

fn unexpected(response: &str) -> String {
    format!("unexpected response of clamd: {response}")
}

#[async_trait]
impl Scanner for Clamd {
    fn parse_message(&self, message: &Value) -> Result<ScanRequest, Failure> {
        let ObjectCreated { key, etag, version } = ObjectCreated::from_message(message)?;
        if message["detail-type"] != "Object Created" {
            return Err(Failure::poison(format!("{} does not start a scan", message["detail-type"])));
        }
        Ok(ScanRequest { file: FileVersion { key, etag, version }, verdict: None })
    }

    async fn scan(&self, _: &ScanRequest, content: Bytes) -> anyhow::Result<Verdict> {
        parse_verdict(&self.scan_stream(&content).await?)
    }
}

#[cfg(test)]
mod tests;
