//! `ObjectStore` of `platform`: objects in a bucket.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use platform::objects::{MIN_PART_BYTES, Object, ObjectStore, Part, read_to_end};

use crate::check::{contract_suite, same};

/// A client without credentials.
#[async_trait]
pub trait AnonymousClient: Send + Sync {
    /// Gets the object behind a presigned URL.
    async fn fetch(&self, link: &str) -> anyhow::Result<Bytes>;
}

/// An empty bucket.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub objects: Arc<dyn ObjectStore>,
    /// A client for its presigned URLs.
    pub client: Arc<dyn AnonymousClient>,
}

/// More bytes than any test writes.
const MAX_BYTES: usize = 1 << 26;

contract_suite!(World:
    reads_return_what_was_written,
    reads_start_at_any_offset_and_see_one_version,
    write_if_absent_does_not_overwrite,
    parts_form_one_object,
    an_aborted_upload_leaves_no_object,
    deleting_is_idempotent,
    a_presigned_url_returns_the_object,
);

fn file(key: &str, body: &'static str) -> Object {
    Object {
        key: key.to_owned(),
        content_type: "text/plain".to_owned(),
        body: Bytes::from_static(body.as_bytes()),
    }
}

impl World {
    async fn read(&self, key: &str, from: u64) -> anyhow::Result<Option<Bytes>> {
        let Some(reading) = self.objects.read(key, from, None).await? else { return Ok(None) };
        read_to_end(reading, MAX_BYTES).await
    }
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let key = "a folder/a name with ü & +.txt";
    same("before", world.read(key, 0).await?, None)?;
    for body in ["one", "", "another “☕”"] {
        world.objects.write(file(key, body)).await?;
        same("the file", world.read(key, 0).await?, Some(Bytes::from_static(body.as_bytes())))?;
    }
    let reading = world.objects.read(key, 0, None).await?.context("the file is missing")?;
    same("its size", reading.size, 17)?;
    same("with a limit below its size", read_to_end(reading, 16).await?, None)
}

async fn reads_start_at_any_offset_and_see_one_version(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("numbers", "0123456789")).await?;
    let reading = world.objects.read("numbers", 7, None).await?.context("the file is not there")?;
    let (size, etag) = (reading.size, reading.etag.clone());
    same("the total size", size, 10)?;
    same("its end", read_to_end(reading, MAX_BYTES).await?, Some(Bytes::from_static(b"789")))?;
    let of_that_version = world.objects.read("numbers", 2, Some(&etag)).await?;
    same("the same version", of_that_version.is_some(), true)?;
    world.objects.write(file("numbers", "9876543210")).await?;
    let of_that_version = world.objects.read("numbers", 2, Some(&etag)).await?;
    same("a version that was overwritten", of_that_version.is_none(), true)
}

async fn write_if_absent_does_not_overwrite(world: &World) -> anyhow::Result<()> {
    same("the first", world.objects.write_if_absent(file("once", "first")).await?, true)?;
    same("the second", world.objects.write_if_absent(file("once", "second")).await?, false)?;
    same("the stored object", world.read("once", 0).await?, Some(Bytes::from_static(b"first")))
}

async fn parts_form_one_object(world: &World) -> anyhow::Result<()> {
    let upload = world.objects.start_upload("large", "application/octet-stream").await?;
    let first = Bytes::from(vec![b'a'; MIN_PART_BYTES]);
    let write = async |number: u32, body: Bytes| world.objects.upload_part(&upload, number, body).await;
    let last = write(2, Bytes::from_static(b"the end")).await?;
    drop(write(1, Bytes::from(vec![b'x'; MIN_PART_BYTES])).await?);
    let replaced: Part = write(1, first.clone()).await?;
    same("before its completion", world.read("large", 0).await?, None)?;
    let parts = [replaced, last];
    world.objects.complete_upload(&upload, &parts).await?;
    world.objects.complete_upload(&upload, &parts).await.context("completed again")?;
    let whole = world.read("large", 0).await?.context("the file is not there")?;
    let expected = [first.as_ref(), b"the end"].concat();
    same("the object consists of its parts", whole == expected, true)
}

async fn an_aborted_upload_leaves_no_object(world: &World) -> anyhow::Result<()> {
    let upload = world.objects.start_upload("aborted", "text/plain").await?;
    let part = world.objects.upload_part(&upload, 1, Bytes::from_static(b"some")).await?;
    world.objects.abort_upload(&upload).await?;
    world.objects.abort_upload(&upload).await.context("aborted again")?;
    same("completed after the abort", world.objects.complete_upload(&upload, &[part]).await.is_err(), true)?;
    same("the file", world.read("aborted", 0).await?, None)
}

async fn deleting_is_idempotent(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("short-lived", "here")).await?;
    world.objects.delete("short-lived").await?;
    world.objects.delete("short-lived").await?;
    same("the file", world.read("short-lived", 0).await?, None)
}

async fn a_presigned_url_returns_the_object(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("linked/ü+&.txt", "for you")).await?;
    for name in [None, Some("a \"name\"\r\n.txt")] {
        let link = world.objects.presigned_url("linked/ü+&.txt", Duration::from_secs(60), name).await?;
        same("the object", world.client.fetch(&link).await?, Bytes::from_static(b"for you"))?;
    }
    Ok(())
}
