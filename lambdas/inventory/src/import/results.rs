//! The results of an import: the rejected rows and a summary.

use jiff::Timestamp;
use platform::csv::{Csv, unescape_formulas};
use platform::objects::{MIN_PART_BYTES, Object, ObjectStore};
use serde::Serialize;

use super::progress::{Counts, Ending, Import, RejectedChunk, Stage};
use super::records::Record;
use super::row::{Column, Header, REJECTED_COLUMNS, RowError};
use super::upload::INCOMING_PREFIX;

/// The prefix of the results.
pub const RESULTS_PREFIX: &str = "results/";
/// The prefix of the chunks of `rejected.csv`, until it is assembled.
pub const WORK_PREFIX: &str = "work/";
/// The maximum number of bytes of the file name in the keys of its results: a key has at most 1,024.
const MAX_NAME_BYTES: usize = 800;
const CSV: &str = "text/csv; charset=utf-8";

/// The folder of the results. It is named after the file and its ETag, because a file name may be reused.
pub fn folder(import: &Import) -> String {
    let name = import.file.strip_prefix(INCOMING_PREFIX).unwrap_or(&import.file);
    let end = (0..=MAX_NAME_BYTES.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{RESULTS_PREFIX}{}/{}", name.get(..end).unwrap_or_default(), import.etag)
}

/// Buffers rejected rows until they are written to the bucket. The caller bounds the memory by flushing in
/// time.
#[derive(Debug, Default)]
pub struct RejectedRows {
    text: Vec<u8>,
}

impl RejectedRows {
    /// The number of buffered bytes.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Adds the original row, preceded by line, column and reason. The first rejected row of an import is
    /// preceded by the header.
    pub fn add(&mut self, header: Option<&Header>, is_first: bool, record: &Record, error: &RowError) {
        let separator = header.map_or(b',', |header| header.separator);
        let columns = header.map(|header| header.columns.as_slice()).unwrap_or_default();
        if is_first {
            let names = columns.iter().filter(|column| **column != Column::Ignored);
            let names = names.map(|column| column.name().unwrap_or_default());
            let names: Vec<&str> = REJECTED_COLUMNS.into_iter().chain(names).collect();
            Csv::start_file(&mut self.text, separator).write_row(&names);
        }
        let is_escaped = header.is_some_and(Header::is_escaped);
        let keep = |(index, field): (usize, &'_ Vec<u8>)| {
            let is_ignored = record.defect.is_none() && columns.get(index) == Some(&Column::Ignored);
            let text = String::from_utf8_lossy(field);
            (!is_ignored).then(|| if is_escaped { unescape_formulas(&text) } else { text.into_owned() })
        };
        let row: Vec<String> = record.fields.iter().enumerate().filter_map(keep).collect();
        let line = record.line.to_string();
        let details = [line.as_str(), &error.column, &error.reason];
        let cells: Vec<&str> = details.into_iter().chain(row.iter().map(String::as_str)).collect();
        Csv::append(&mut self.text, separator).write_row(&cells);
    }

    /// Writes the buffered rows to an object with this key. Returns `None` if there are none.
    ///
    /// # Errors
    /// When the object cannot be written; the rows stay in the buffer.
    pub async fn flush(
        &mut self,
        files: &dyn ObjectStore,
        key: String,
    ) -> anyhow::Result<Option<RejectedChunk>> {
        if self.text.is_empty() {
            return Ok(None);
        }
        let body = std::mem::take(&mut self.text);
        let chunk = RejectedChunk { key: key.clone(), size: body.len() };
        let file = Object { key, content_type: CSV.to_owned(), body: body.into() };
        match files.write(file.clone()).await {
            Ok(()) => Ok(Some(chunk)),
            Err(error) => {
                self.text = file.body.into();
                Err(error)
            }
        }
    }
}

/// Groups the chunks into the parts of `rejected.csv`. The grouping is deterministic, so that a part that is
/// uploaded again is identical.
fn parts(chunks: &[RejectedChunk]) -> Vec<&[RejectedChunk]> {
    let (mut parts, mut rest, mut count, mut size) = (Vec::new(), chunks, 0, 0_usize);
    for chunk in chunks {
        (count, size) = (count + 1, size.saturating_add(chunk.size));
        if size >= MIN_PART_BYTES {
            let (part, remaining) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            parts.push(part);
            (rest, count, size) = (remaining, 0, 0);
        }
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

async fn read_chunks(files: &dyn ObjectStore, chunks: &[RejectedChunk]) -> anyhow::Result<Vec<u8>> {
    use futures::StreamExt;
    let mut body = Vec::with_capacity(chunks.iter().map(|chunk| chunk.size).sum());
    for chunk in chunks {
        let stream = files.read(&chunk.key, 0, None).await?;
        let mut stream = stream.ok_or_else(|| anyhow::anyhow!("the object {} does not exist", chunk.key))?;
        while let Some(bytes) = stream.chunks.next().await {
            body.extend_from_slice(&bytes?);
        }
    }
    Ok(body)
}

/// The content of `summary.json`.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    file: &'a str,
    etag: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(flatten)]
    counts: &'a Counts,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_file: Option<String>,
    started_at: Timestamp,
    finished_at: Timestamp,
}

/// The status of a completed import, as in the summary.
pub fn status(ending: &Ending, counts: &Counts) -> &'static str {
    match ending {
        Ending::Read if counts.rejected > 0 => "imported_in_part",
        Ending::Read if counts.rows > 0 && counts.repeated == counts.rows => "repeated",
        Ending::Read => "imported",
        Ending::Refused(_) => "refused",
        Ending::Gone => "gone",
    }
}

/// Writes the results until they are complete or the deadline has passed. Repeated writes are identical.
///
/// # Errors
/// When a write fails; `import` records the parts written so far.
pub async fn write(
    files: &dyn ObjectStore,
    import: &mut Import,
    is_past_deadline: &(dyn Fn() -> bool + Sync),
    now: Timestamp,
) -> anyhow::Result<()> {
    let folder = folder(import);
    let progress = &mut import.progress;
    let Stage::Reporting { ending, upload } = &mut progress.stage else { return Ok(()) };
    let key = format!("{folder}/rejected.csv");
    let parts = parts(&progress.rejected_chunks);
    match parts.as_slice() {
        [] => {}
        [part] => {
            let body = read_chunks(files, part).await?.into();
            files.write(Object { key: key.clone(), content_type: CSV.to_owned(), body }).await?;
        }
        several => {
            if upload.is_none() {
                *upload = Some((files.start_upload(&key, CSV).await?, Vec::new()));
            }
            let Some((upload, written)) = upload else { return Ok(()) };
            for (number, part) in (1_u32..).zip(several).skip(written.len()) {
                if is_past_deadline() {
                    return Ok(());
                }
                let body = read_chunks(files, part).await?.into();
                written.push(files.upload_part(upload, number, body).await?);
            }
            files.complete_upload(upload, written).await?;
        }
    }
    let summary = Summary {
        file: &import.file,
        etag: &import.etag,
        status: status(ending, &progress.counts),
        reason: match ending {
            Ending::Refused(reason) => Some(reason),
            Ending::Gone => Some("the file was replaced or removed before it was read to its end"),
            Ending::Read => None,
        },
        counts: &progress.counts,
        rejected_file: (!parts.is_empty()).then_some(key),
        started_at: import.started_at,
        finished_at: now,
    };
    let body = serde_json::to_vec_pretty(&summary)?.into();
    let summary =
        Object { key: format!("{folder}/summary.json"), content_type: "application/json".to_owned(), body };
    files.write(summary).await?;
    progress.stage = Stage::Done(ending.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::records::Position;
    use super::*;

    #[test]
    fn the_size_of_the_rejected_rows_is_their_length_in_bytes() {
        let record = Record { line: 2, end: Position::START, fields: vec![b"T-1".to_vec()], defect: None };
        let mut rejected = RejectedRows::default();
        assert_eq!(rejected.size(), 0);
        rejected.add(None, false, &record, &RowError::new("price", "is missing"));
        let row = b"2,price,is missing,T-1\r\n";
        assert_eq!((rejected.text.as_slice(), rejected.size()), (row.as_slice(), row.len()));
    }

    #[test]
    fn all_parts_except_the_last_have_the_minimum_size() {
        let chunk = |size| RejectedChunk { key: String::new(), size };
        let chunks = [3, 1, 2, 6, 4].map(|mebibytes| chunk(mebibytes * 1024 * 1024));
        let sizes: Vec<usize> = parts(&chunks).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [3, 1, 1]);
        assert!(parts(&[]).is_empty());
    }
}
