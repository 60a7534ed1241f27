//! `inventory::import::store::Imports`: the progress of imports.

use std::sync::Arc;

use domain::Lease;
use futures::future::try_join_all;
use inventory::import::progress::{Counts, Ending, Import, Progress, RejectedChunk, Stage};
use inventory::import::records::Position;
use inventory::import::row::Header;
use inventory::import::store::Imports;
use platform::objects::{MultipartUpload, Part};
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::time;

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub imports: Arc<dyn Imports>,
}

contract_suite!(World:
    the_first_write_requires_a_missing_record,
    each_write_requires_the_version_that_was_read,
    reads_return_what_was_written,
    imports_are_independent,
    concurrent_writers_of_one_version_have_one_winner,
);

/// An import at `version`, leased by the run `owner`.
pub(crate) fn import(id: &str, version: u64, owner: u32) -> anyhow::Result<Import> {
    Ok(Import {
        id: id.to_owned(),
        file: "incoming/“tea” ☕.csv".to_owned(),
        etag: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
        version,
        lease: Lease { owner: Uuid::from_u128(owner.into()), expires_at: time(7)? },
        started_at: time(0)?,
        progress: Progress::new(),
    })
}

async fn the_first_write_requires_a_missing_record(world: &World) -> anyhow::Result<()> {
    let first = import("i-1", 1, 1)?;
    same("none", world.imports.get("i-1").await?, None)?;
    same("a later version", world.imports.write(&import("i-1", 2, 1)?, Some(1)).await?, false)?;
    same("still none", world.imports.get("i-1").await?, None)?;
    same("the first", world.imports.write(&first, None).await?, true)?;
    same("that of another run", world.imports.write(&import("i-1", 1, 2)?, None).await?, false)?;
    same("read", world.imports.get("i-1").await?, Some(first))
}

async fn each_write_requires_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    same("the first", world.imports.write(&import("i-1", 1, 1)?, None).await?, true)?;
    for version in 2..=4 {
        let next = import("i-1", version, 1)?;
        same("the next", world.imports.write(&next, Some(version - 1)).await?, true)?;
        // A retry of the client after a lost response.
        same("again", world.imports.write(&next, Some(version - 1)).await?, false)?;
    }
    for read in [1, 3, 5] {
        let written = world.imports.write(&import("i-1", read + 1, 2)?, Some(read)).await?;
        same(&format!("version {read} of 4"), written, false)?;
        same("read", world.imports.get("i-1").await?, Some(import("i-1", 4, 1)?))?;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let counts = Counts { rows: 5, applied: 2, repeated: 1, rejected: 2, pieces: u64::MAX };
    let upload = MultipartUpload { key: "results/1/rejected.csv".to_owned(), id: "upload-1".to_owned() };
    let parts = vec![Part { number: 1, etag: "\"e\"".to_owned() }];
    let stages = [
        Stage::Reading,
        Stage::Reporting { ending: Ending::Read, upload: None },
        Stage::Reporting { ending: Ending::Gone, upload: Some((upload, parts)) },
        Stage::Done(Ending::Refused("the file has no header".to_owned())),
    ];
    for (version, stage) in (1..).zip(stages) {
        let progress = Progress {
            size: Some(1 << 40),
            header: Some(Header { separator: b';', columns: Vec::new(), width: 7 }),
            position: Position { offset: 77, line: 9, after_return: true },
            counts: counts.clone(),
            rejected_chunks: vec![RejectedChunk { key: "results/1/0".to_owned(), size: 12 }],
            stage,
        };
        let next = Import { progress, ..import("i-1", version, 1)? };
        let read = (version > 1).then(|| version - 1);
        same("written", world.imports.write(&next, read).await?, true)?;
        same("read", world.imports.get("i-1").await?, Some(next))?;
    }
    Ok(())
}

async fn imports_are_independent(world: &World) -> anyhow::Result<()> {
    for id in ["i-1", "i-2"] {
        same("the first of its file", world.imports.write(&import(id, 1, 1)?, None).await?, true)?;
    }
    same("the next", world.imports.write(&import("i-2", 2, 1)?, Some(1)).await?, true)?;
    same("read", world.imports.get("i-1").await?, Some(import("i-1", 1, 1)?))
}

async fn concurrent_writers_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    for version in 1..=3 {
        let read = (version > 1).then(|| version - 1);
        let all = (1..=20).map(|owner| import("i-1", version, owner)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|new| world.imports.write(new, read))).await?;
        let won: Vec<&Import> = all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("writers that won", won.len(), 1)?;
        same("read", world.imports.get("i-1").await?.as_ref(), won.first().copied())?;
    }
    Ok(())
}
