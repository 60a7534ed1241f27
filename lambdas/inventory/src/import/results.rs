//! What staff find beside their file: the rows that were rejected, and a summary.

use jiff::Timestamp;
use platform::objects::{MIN_PART_BYTES, Object, ObjectStore};
use serde::Serialize;

use super::lines::Record;
use super::notice::INCOMING;
use super::progress::{Counts, Ending, Import, Piece, Stage};
use super::row::{Column, Fault, Header, REJECTED_COLUMNS};

/// Where results are.
pub const RESULTS: &str = "results/";
/// Where pieces of them are until all are there.
pub const WORK: &str = "work/";
/// The most bytes of a file's name that its results' names have: a name in a bucket has 1,024 in all.
const LONGEST_NAME: usize = 800;
const CSV: &str = "text/csv; charset=utf-8";

/// The folder of a file's results: named after the file and its content, as one name may bring many files in time.
pub fn folder(import: &Import) -> String {
    let name = import.file.strip_prefix(INCOMING).unwrap_or(&import.file);
    let end = (0..=LONGEST_NAME.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{RESULTS}{}/{}", name.get(..end).unwrap_or_default(), import.etag)
}

/// Rejected rows that are not in a file yet. Memory is bounded by whoever writes them away in time.
#[derive(Debug, Default)]
pub struct Rejected {
    text: Vec<u8>,
}

impl Rejected {
    /// How many bytes wait.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// Adds a row as it was, with line, column and reason before it. The first row that an import rejects brings the
    /// header along.
    pub fn add(&mut self, header: Option<&Header>, first: bool, record: &Record, fault: &Fault) {
        let separator = header.map_or(b',', |header| header.separator);
        let columns = header.map(|header| header.columns.as_slice()).unwrap_or_default();
        if first {
            let own = columns.iter().filter_map(|column| column.name());
            self.line(separator, REJECTED_COLUMNS.into_iter().chain(own).map(str::as_bytes));
        }
        let line = record.line.to_string();
        let ours = [line.as_bytes(), fault.column.as_bytes(), fault.reason.as_bytes()];
        let kept = |(index, field): (usize, &'_ Vec<u8>)| {
            let lost = columns.get(index) == Some(&Column::Ignored);
            (!lost).then(|| String::from_utf8_lossy(field).into_owned())
        };
        let row: Vec<String> = record.fields.iter().enumerate().filter_map(kept).collect();
        self.line(separator, ours.into_iter().chain(row.iter().map(String::as_bytes)));
    }

    fn line<'a>(&mut self, separator: u8, fields: impl Iterator<Item = &'a [u8]>) {
        for (index, field) in fields.enumerate() {
            if index > 0 {
                self.text.push(separator);
            }
            let special = |byte: &u8| *byte == separator || matches!(byte, b'"' | b'\r' | b'\n');
            if field.iter().any(special) {
                self.text.push(b'"');
                for byte in field {
                    self.text.extend(std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 }));
                }
                self.text.push(b'"');
            } else {
                self.text.extend_from_slice(field);
            }
        }
        self.text.extend_from_slice(b"\r\n");
    }

    /// Writes what waits into a file of that name.
    ///
    /// # Errors
    /// When it cannot be written: it still waits.
    pub async fn write_away(
        &mut self,
        files: &dyn ObjectStore,
        key: String,
    ) -> anyhow::Result<Option<Piece>> {
        if self.text.is_empty() {
            return Ok(None);
        }
        let body = std::mem::take(&mut self.text);
        let piece = Piece { key: key.clone(), size: body.len() };
        let file = Object { key, content_type: CSV.to_owned(), body: body.into() };
        match files.write(file.clone()).await {
            Ok(()) => Ok(Some(piece)),
            Err(error) => {
                self.text = file.body.into();
                Err(error)
            }
        }
    }
}

/// The pieces that make each part of `rejected.csv`. The same ones each time, so that a part that is written again is
/// the same.
fn parts(pieces: &[Piece]) -> Vec<&[Piece]> {
    let (mut parts, mut rest, mut count, mut size) = (Vec::new(), pieces, 0, 0_usize);
    for piece in pieces {
        (count, size) = (count + 1, size.saturating_add(piece.size));
        if size >= MIN_PART_BYTES {
            let (part, behind) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            parts.push(part);
            (rest, count, size) = (behind, 0, 0);
        }
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

async fn body(files: &dyn ObjectStore, pieces: &[Piece]) -> anyhow::Result<Vec<u8>> {
    use futures::StreamExt;
    let mut body = Vec::with_capacity(pieces.iter().map(|piece| piece.size).sum());
    for piece in pieces {
        let reading = files.read(&piece.key, 0, None).await?;
        let mut reading = reading.ok_or_else(|| anyhow::anyhow!("{} is gone", piece.key))?;
        while let Some(chunk) = reading.chunks.next().await {
            body.extend_from_slice(&chunk?);
        }
    }
    Ok(body)
}

/// What `summary.json` has.
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

/// What a summary calls an ending.
pub fn status(ending: &Ending, counts: &Counts) -> &'static str {
    match ending {
        Ending::Read if counts.rejected > 0 => "imported_in_part",
        Ending::Read if counts.rows > 0 && counts.repeated == counts.rows => "repeated",
        Ending::Read => "imported",
        Ending::Refused(_) => "refused",
        Ending::Gone => "gone",
    }
}

/// Writes on at the results, until all are there or it is late. Whatever is done again is done the same.
///
/// # Errors
/// When they cannot be written; what is written so far is in `import`.
pub async fn write(
    files: &dyn ObjectStore,
    import: &mut Import,
    late: &(dyn Fn() -> bool + Sync),
    now: Timestamp,
) -> anyhow::Result<()> {
    let folder = folder(import);
    let progress = &mut import.progress;
    let Stage::Reporting { ending, upload } = &mut progress.stage else { return Ok(()) };
    let key = format!("{folder}/rejected.csv");
    let wanted = parts(&progress.pieces);
    match wanted.as_slice() {
        [] => {}
        [all] => {
            let body = body(files, all).await?.into();
            files.write(Object { key: key.clone(), content_type: CSV.to_owned(), body }).await?;
        }
        many => {
            if upload.is_none() {
                *upload = Some((files.start_upload(&key, CSV).await?, Vec::new()));
            }
            let Some((upload, written)) = upload else { return Ok(()) };
            for (number, pieces) in (1_u32..).zip(many).skip(written.len()) {
                if late() {
                    return Ok(());
                }
                let body = body(files, pieces).await?.into();
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
            Ending::Gone => Some("the file was replaced or removed before all of it was read"),
            Ending::Read => None,
        },
        counts: &progress.counts,
        rejected_file: (!wanted.is_empty()).then_some(key),
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
    use super::*;

    #[test]
    fn parts_are_large_enough_but_for_the_last() {
        let piece = |size| Piece { key: String::new(), size };
        let pieces = [3, 1, 2, 6, 4].map(|mega| piece(mega * 1024 * 1024));
        let sizes: Vec<usize> = parts(&pieces).iter().map(|part| part.len()).collect();
        assert_eq!(sizes, [3, 1, 1]);
        assert!(parts(&[]).is_empty());
    }
}
