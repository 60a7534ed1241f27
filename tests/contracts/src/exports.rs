//! `sales::export::store::Exports`: the records of exports.

use std::sync::Arc;

use anyhow::Context;
use domain::Lease;
use futures::future::try_join_all;
use platform::optimistic::Versioned;
use sales::export::store::{CreateResult, Exports};
use sales::export::{Export, ExportId, ExportRequest, Format, State};
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::time;

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub exports: Arc<dyn Exports>,
}

contract_suite!(World:
    an_export_is_created_once,
    a_missing_export_is_not_replaced,
    an_export_is_replaced_only_at_the_version_that_was_read,
    reads_return_what_was_written,
    concurrent_creations_have_one_winner,
    concurrent_replacements_of_one_version_have_one_winner,
);

fn id(number: u32) -> ExportId {
    Uuid::from_u128(number.into()).into()
}

/// A new export; `attempts` tells those of one id apart.
pub(crate) fn export(number: u32, attempts: u32) -> anyhow::Result<Export> {
    Ok(Export {
        id: id(number),
        request: ExportRequest {
            from: time(0)?,
            until: time(9)?,
            statuses: Default::default(),
            format: Format::JsonLines,
        },
        fingerprint: "what was requested".to_owned(),
        requested_at: time(10)?,
        state: State::Queued,
        lease: None,
        attempts,
        updated_at: time(10)?,
    })
}

async fn an_export_is_created_once(world: &World) -> anyhow::Result<()> {
    same("none", world.exports.get(id(1)).await?, None)?;
    same("created", world.exports.create(&export(1, 0)?).await?, CreateResult::Created)?;
    let stored = Versioned { value: export(1, 0)?, version: 1 };
    for attempts in [0, 1] {
        let again = world.exports.create(&export(1, attempts)?).await?;
        same("created again", again, CreateResult::AlreadyExists(Box::new(stored.clone())))?;
        same("read", world.exports.get(id(1)).await?, Some(stored.clone()))?;
    }
    // The replay of a request returns the export as it is now.
    let replaced = world.exports.replace(&stored, export(1, 2)?).await?.context("not replaced")?;
    let again = world.exports.create(&export(1, 0)?).await?;
    same("created again", again, CreateResult::AlreadyExists(Box::new(replaced)))?;
    same("another", world.exports.create(&export(2, 0)?).await?, CreateResult::Created)
}

async fn a_missing_export_is_not_replaced(world: &World) -> anyhow::Result<()> {
    for version in [0, 1] {
        let read = Versioned { value: export(1, 0)?, version };
        same("replaced", world.exports.replace(&read, export(1, 1)?).await?, None)?;
        same("read", world.exports.get(id(1)).await?, None)?;
    }
    Ok(())
}

async fn an_export_is_replaced_only_at_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    same("created", world.exports.create(&export(1, 0)?).await?, CreateResult::Created)?;
    let mut read = world.exports.get(id(1)).await?.context("no export")?;
    for attempts in 1..=3 {
        let written = world.exports.replace(&read, export(1, attempts)?).await?.context("not written")?;
        same("written", &written, &Versioned { value: export(1, attempts)?, version: read.version + 1 })?;
        let future = Versioned { version: written.version + 1, ..written.clone() };
        for stale in [&read, &future] {
            same("at another version", world.exports.replace(stale, export(1, 9)?).await?, None)?;
        }
        same("read", world.exports.get(id(1)).await?, Some(written.clone()))?;
        read = written;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let at = jiff::Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    let states = [
        State::Running { checkpoint: "checkpoints/“1” ☕".to_owned(), orders: u64::MAX },
        State::Done { orders: 3, bytes: 1 << 40, at },
        State::Failed { at },
    ];
    same("created", world.exports.create(&export(1, 0)?).await?, CreateResult::Created)?;
    for state in states {
        let read = world.exports.get(id(1)).await?.context("no export")?;
        let lease = Some(Lease { owner: Uuid::from_u128(1), expires_at: at });
        let next = Export { state, lease, updated_at: at, ..export(1, 1)? };
        let written = world.exports.replace(&read, next.clone()).await?;
        same("written", written.as_ref().map(|written| &written.value), Some(&next))?;
        same("read", world.exports.get(id(1)).await?, written)?;
    }
    Ok(())
}

async fn concurrent_creations_have_one_winner(world: &World) -> anyhow::Result<()> {
    let all = (1..=20).map(|attempts| export(1, attempts)).collect::<anyhow::Result<Vec<_>>>()?;
    let answers = try_join_all(all.iter().map(|export| world.exports.create(export))).await?;
    same("created", answers.iter().filter(|answer| **answer == CreateResult::Created).count(), 1)?;
    let created = answers.iter().position(|answer| *answer == CreateResult::Created);
    let stored = world.exports.get(id(1)).await?.context("no export")?;
    same("read", Some(&stored.value), created.and_then(|index| all.get(index)))?;
    let expected = CreateResult::AlreadyExists(Box::new(stored));
    same("the others got it", answers.iter().filter(|answer| **answer == expected).count(), 19)
}

async fn concurrent_replacements_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    same("created", world.exports.create(&export(1, 0)?).await?, CreateResult::Created)?;
    for _ in 0..3 {
        let read = world.exports.get(id(1)).await?.context("no export")?;
        let all = (1..=20).map(|attempts| export(1, attempts)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.into_iter().map(|new| world.exports.replace(&read, new))).await?;
        let won: Vec<Versioned<Export>> = answers.into_iter().flatten().collect();
        same("writers that won", won.len(), 1)?;
        same("read", world.exports.get(id(1)).await?.as_ref(), won.first())?;
    }
    Ok(())
}
