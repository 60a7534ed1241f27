//! ClamAV's daemon, over TCP: the command `INSTREAM` of <https://docs.clamav.net/manual/Usage/Scanning.html#clamd>, see
//! `clamd(8)`. It takes any number of chunks, each behind its length; one of length zero ends them.

use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use platform::objects::ObjectCreated;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::scan::{Arrival, Scanner, Verdict};
use crate::store::FileVersion;

/// How long it has for the connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long it has for a file, after which it is asked again later.
const SCAN_TIME: Duration = Duration::from_secs(30);
/// How much is sent at once.
const CHUNK: usize = 64 * 1024;
/// The longest answer that is read: a name of a threat has some dozen bytes.
const LONGEST_ANSWER: u64 = 4096;

/// A `clamd`. Its `StreamMaxLength` has to be at least [`crate::MOST_BYTES`], and `AlertExceedsMax` should be on: without
/// it, what is too large or takes too long to scan is called harmless.
#[derive(Debug, Clone)]
pub struct Clamd {
    address: String,
}

impl Clamd {
    /// The one that listens at `address`: a name or a number, and a port.
    pub fn new(address: String) -> Self {
        Self { address }
    }

    async fn ask(&self, content: &[u8]) -> anyhow::Result<String> {
        let connecting = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(&self.address)).await;
        let mut stream = connecting.context("clamd does not answer")?.context("clamd is out of reach")?;
        tokio::time::timeout(SCAN_TIME, talk(&mut stream, content)).await.context("clamd takes too long")?
    }
}

async fn talk(stream: &mut TcpStream, content: &[u8]) -> anyhow::Result<String> {
    // Where it closes early because the file is too long for it, it has said so before: the answer is read all the same.
    let sent = send(stream, content).await;
    let mut answer = Vec::new();
    let read = stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await;
    if answer.is_empty() {
        sent.context("the file could not be sent to clamd")?;
        read.context("clamd's answer could not be read")?;
    }
    let text = answer.strip_suffix(b"\0").context("clamd's answer has no end")?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

async fn send(stream: &mut TcpStream, content: &[u8]) -> std::io::Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    for chunk in content.chunks(CHUNK) {
        stream.write_u32(u32::try_from(chunk.len()).unwrap_or_default()).await?;
        stream.write_all(chunk).await?;
    }
    stream.write_u32(0).await?;
    stream.flush().await
}

/// Reads `stream: OK`, `stream: <threat> FOUND` or `<what> ERROR`.
fn verdict(answer: &str) -> anyhow::Result<Verdict> {
    if answer.ends_with("ERROR") {
        // It will be too long the next time, too.
        if answer.contains("size limit exceeded") {
            tracing::error!(answer, "clamd's StreamMaxLength is less than what clients may upload");
            return Ok(Verdict::NotScannable);
        }
        bail!("clamd failed: {answer}");
    }
    match answer.strip_prefix("stream: ") {
        Some("OK") => Ok(Verdict::Clean),
        Some(found) => {
            let threat = found.strip_suffix(" FOUND").with_context(|| not_understood(answer))?;
            Ok(Verdict::Infected { threat: threat.to_owned() })
        }
        None => bail!(not_understood(answer)),
    }
}

fn not_understood(answer: &str) -> String {
    format!("clamd's answer is not understood: {answer}")
}

#[async_trait]
impl Scanner for Clamd {
    fn arrival(&self, message: &Value) -> Result<Arrival, Failure> {
        let ObjectCreated { key, etag, version } = ObjectCreated::from_message(message)?;
        if message["detail-type"] != "Object Created" {
            return Err(Failure::poison(format!("{} starts no scan", message["detail-type"])));
        }
        Ok(Arrival { file: FileVersion { key, etag, version }, verdict: None })
    }

    async fn scan(&self, _: &Arrival, content: Bytes) -> anyhow::Result<Verdict> {
        verdict(&self.ask(&content).await?)
    }
}

#[cfg(test)]
mod tests;
