//! `media::store::Images`: the uploads and the current images of products.

use std::sync::Arc;

use domain::product::{Colors, Image, Original, OriginalFormat, RejectReason, Upload, UploadState};
use domain::{Sku, UploadId};
use futures::future::try_join_all;
use media::store::Images;
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::{cause, sku, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub images: Arc<dyn Images>,
}

contract_suite!(World:
    an_upload_is_created_once,
    the_first_completion_counts,
    an_unknown_upload_is_not_completed,
    the_newest_ready_upload_is_current,
    the_latest_upload_may_have_any_state,
    reads_return_what_was_written,
    products_are_independent,
    concurrent_completions_have_one_winner,
);

fn id(number: u32) -> UploadId {
    Uuid::from_u128(number.into()).into()
}

fn pending(of: &Sku, number: u32) -> anyhow::Result<Upload> {
    let (sku, state) = (of.clone(), UploadState::Pending);
    Ok(Upload { sku, id: id(number), requested_at: time(0)?, cause: cause()?, state })
}

/// The upload with an image of `width` pixels.
fn ready(upload: &Upload, width: u32) -> anyhow::Result<Upload> {
    let original = Original {
        format: OriginalFormat::Png,
        bytes: 1 << 20,
        width,
        height: 7,
        orientation: 1,
        animated: false,
        colors: Colors::AssumedSrgb,
    };
    let image = Image { original, renditions: Vec::new() };
    Ok(Upload { state: UploadState::Ready { at: time(1)?, image }, ..upload.clone() })
}

fn rejected(upload: &Upload) -> anyhow::Result<Upload> {
    let state = UploadState::Rejected { at: time(2)?, reason: RejectReason::Malware };
    Ok(Upload { state, ..upload.clone() })
}

impl World {
    /// Creates a pending upload of the first product.
    async fn create(&self, number: u32) -> anyhow::Result<Upload> {
        let upload = pending(&sku(1)?, number)?;
        self.images.create(&upload).await?;
        Ok(upload)
    }

    async fn current(&self) -> anyhow::Result<Option<UploadId>> {
        Ok(self.images.current(&sku(1)?).await?.map(|upload| upload.id))
    }
}

async fn an_upload_is_created_once(world: &World) -> anyhow::Result<()> {
    same("none", world.images.get(&sku(1)?, id(1)).await?, None)?;
    let upload = world.create(1).await?;
    same("read", world.images.get(&sku(1)?, id(1)).await?, Some(upload.clone()))?;
    let ready = world.images.complete(&ready(&upload, 1)?).await?;
    // A retry of the client arrives after the upload was completed.
    world.images.create(&upload).await?;
    same("read", world.images.get(&sku(1)?, id(1)).await?, Some(ready))
}

async fn the_first_completion_counts(world: &World) -> anyhow::Result<()> {
    for number in [1, 2] {
        let upload = world.create(number).await?;
        let (good, bad) = (ready(&upload, number)?, rejected(&upload)?);
        let first = if number == 1 { &good } else { &bad };
        same("the first", world.images.complete(first).await?, first.clone())?;
        for later in [&good, &bad, &ready(&upload, 9)?] {
            same("a later one", world.images.complete(later).await?, first.clone())?;
            same("read", world.images.get(&sku(1)?, id(number)).await?, Some(first.clone()))?;
        }
        let current = world.images.current(&sku(1)?).await?;
        same("the image", current, Some(ready(&pending(&sku(1)?, 1)?, 1)?))?;
    }
    Ok(())
}

async fn an_unknown_upload_is_not_completed(world: &World) -> anyhow::Result<()> {
    let unknown = pending(&sku(1)?, 1)?;
    for completed in [ready(&unknown, 1)?, rejected(&unknown)?] {
        let result = world.images.complete(&completed).await;
        anyhow::ensure!(result.is_err(), "an unknown upload was completed: {result:?}");
        same("read", world.images.get(&sku(1)?, id(1)).await?, None)?;
        same("the image", world.current().await?, None)?;
    }
    Ok(())
}

async fn the_newest_ready_upload_is_current(world: &World) -> anyhow::Result<()> {
    same("no image", world.current().await?, None)?;
    for number in [3, 1, 2, 4, 5] {
        world.create(number).await?;
    }
    for (number, current) in [(3, 3), (1, 3), (2, 3), (4, 4)] {
        let completed = ready(&pending(&sku(1)?, number)?, number)?;
        same("completed", world.images.complete(&completed).await?, completed.clone())?;
        same("read", world.images.get(&sku(1)?, id(number)).await?, Some(completed))?;
        same("the image", world.current().await?, Some(id(current)))?;
    }
    let rejected = rejected(&pending(&sku(1)?, 5)?)?;
    same("rejected", world.images.complete(&rejected).await?, rejected.clone())?;
    same("the image", world.current().await?, Some(id(4)))
}

async fn the_latest_upload_may_have_any_state(world: &World) -> anyhow::Result<()> {
    let latest = async || Ok::<_, anyhow::Error>(world.images.latest(&sku(1)?).await?.map(|it| it.id));
    same("none", latest().await?, None)?;
    for (number, expected) in [(2, 2), (1, 2), (3, 3)] {
        let upload = world.create(number).await?;
        same("the latest", latest().await?, Some(id(expected)))?;
        world.images.complete(&ready(&upload, 1)?).await?;
        same("the latest", latest().await?, Some(id(expected)))?;
    }
    world.images.complete(&rejected(&world.create(4).await?)?).await?;
    same("the latest", latest().await?, Some(id(4)))
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let at = jiff::Timestamp::from_nanosecond(1_795_428_930_123_456_789)?;
    let upload = Upload { requested_at: at, ..pending(&sku(1)?, 1)? };
    world.images.create(&upload).await?;
    same("pending", world.images.get(&sku(1)?, id(1)).await?, Some(upload.clone()))?;
    let completed = ready(&upload, u32::MAX)?;
    world.images.complete(&completed).await?;
    for found in [
        world.images.get(&sku(1)?, id(1)).await?,
        world.images.latest(&sku(1)?).await?,
        world.images.current(&sku(1)?).await?,
    ] {
        same("ready", found, Some(completed.clone()))?;
    }
    Ok(())
}

async fn products_are_independent(world: &World) -> anyhow::Result<()> {
    let other = pending(&sku(2)?, 9)?;
    world.images.create(&other).await?;
    world.images.complete(&ready(&other, 9)?).await?;
    let upload = world.create(1).await?;
    same("of the other product", world.images.get(&sku(1)?, id(9)).await?, None)?;
    same("no image yet", world.current().await?, None)?;
    world.images.complete(&ready(&upload, 1)?).await?;
    same("its own image", world.current().await?, Some(id(1)))?;
    same("its own upload", world.images.latest(&sku(1)?).await?.map(|upload| upload.id), Some(id(1)))
}

async fn concurrent_completions_have_one_winner(world: &World) -> anyhow::Result<()> {
    let upload = world.create(1).await?;
    let results = (1..=20).map(|width| ready(&upload, width)).collect::<anyhow::Result<Vec<_>>>()?;
    let answers = try_join_all(results.iter().map(|result| world.images.complete(result))).await?;
    let stored = world.images.get(&sku(1)?, id(1)).await?;
    same("the answers", answers.iter().all(|answer| Some(answer) == stored.as_ref()), true)?;
    same("the image", world.images.current(&sku(1)?).await?, stored)
}
