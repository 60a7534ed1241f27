//! `ObjectStore` of `platform`: files in a bucket.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use platform::objects::{MIN_PART_BYTES, Object, ObjectStore, Part, read_to_end};

use crate::check::{family, same};

/// Somebody who has a link and nothing else.
#[async_trait]
pub trait Stranger: Send + Sync {
    /// What they get with it.
    async fn fetch(&self, link: &str) -> anyhow::Result<Bytes>;
}

/// An empty bucket.
#[derive(Clone)]
pub struct World {
    /// The bucket.
    pub objects: Arc<dyn ObjectStore>,
    /// Who follows its links.
    pub stranger: Arc<dyn Stranger>,
}

/// More than any test writes.
const MOST: usize = 1 << 26;

family!(World:
    what_is_written_is_read,
    reading_starts_anywhere_and_sees_one_version,
    a_new_file_replaces_none,
    parts_make_one_file,
    a_file_that_is_given_up_is_not_there,
    removing_twice_is_fine,
    a_link_shows_the_file,
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
        read_to_end(reading, MOST).await
    }
}

async fn what_is_written_is_read(world: &World) -> anyhow::Result<()> {
    let key = "a folder/a name with ü & +.txt";
    same("before", world.read(key, 0).await?, None)?;
    for body in ["one", "", "another “☕”"] {
        world.objects.write(file(key, body)).await?;
        same("the file", world.read(key, 0).await?, Some(Bytes::from_static(body.as_bytes())))?;
    }
    let reading = world.objects.read(key, 0, None).await?.context("the file is gone")?;
    same("its size", reading.size, 17)?;
    same("with less room than it needs", read_to_end(reading, 16).await?, None)
}

async fn reading_starts_anywhere_and_sees_one_version(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("numbers", "0123456789")).await?;
    let reading = world.objects.read("numbers", 7, None).await?.context("the file is not there")?;
    let (size, etag) = (reading.size, reading.etag.clone());
    same("the size of all of it", size, 10)?;
    same("its end", read_to_end(reading, MOST).await?, Some(Bytes::from_static(b"789")))?;
    let of_that_version = world.objects.read("numbers", 2, Some(&etag)).await?;
    same("the same version", of_that_version.is_some(), true)?;
    world.objects.write(file("numbers", "9876543210")).await?;
    let of_that_version = world.objects.read("numbers", 2, Some(&etag)).await?;
    same("a version that is gone", of_that_version.is_none(), true)
}

async fn a_new_file_replaces_none(world: &World) -> anyhow::Result<()> {
    same("the first", world.objects.write_if_absent(file("once", "first")).await?, true)?;
    same("the second", world.objects.write_if_absent(file("once", "second")).await?, false)?;
    same("what is there", world.read("once", 0).await?, Some(Bytes::from_static(b"first")))
}

async fn parts_make_one_file(world: &World) -> anyhow::Result<()> {
    let upload = world.objects.start_upload("large", "application/octet-stream").await?;
    let first = Bytes::from(vec![b'a'; MIN_PART_BYTES]);
    let write = async |number: u32, body: Bytes| world.objects.upload_part(&upload, number, body).await;
    let last = write(2, Bytes::from_static(b"the end")).await?;
    drop(write(1, Bytes::from(vec![b'x'; MIN_PART_BYTES])).await?);
    let replaced: Part = write(1, first.clone()).await?;
    same("before its end", world.read("large", 0).await?, None)?;
    let parts = [replaced, last];
    world.objects.complete_upload(&upload, &parts).await?;
    world.objects.complete_upload(&upload, &parts).await.context("ended once more")?;
    let whole = world.read("large", 0).await?.context("the file is not there")?;
    let expected = [first.as_ref(), b"the end"].concat();
    same("the file is its parts", whole == expected, true)
}

async fn a_file_that_is_given_up_is_not_there(world: &World) -> anyhow::Result<()> {
    let upload = world.objects.start_upload("given up", "text/plain").await?;
    let part = world.objects.upload_part(&upload, 1, Bytes::from_static(b"some")).await?;
    world.objects.abort_upload(&upload).await?;
    world.objects.abort_upload(&upload).await.context("given up once more")?;
    same("ended after all", world.objects.complete_upload(&upload, &[part]).await.is_err(), true)?;
    same("the file", world.read("given up", 0).await?, None)
}

async fn removing_twice_is_fine(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("short-lived", "here")).await?;
    world.objects.delete("short-lived").await?;
    world.objects.delete("short-lived").await?;
    same("the file", world.read("short-lived", 0).await?, None)
}

async fn a_link_shows_the_file(world: &World) -> anyhow::Result<()> {
    world.objects.write(file("linked/ü+&.txt", "for you")).await?;
    for name in [None, Some("a \"name\"\r\n.txt")] {
        let link = world.objects.presigned_url("linked/ü+&.txt", Duration::from_secs(60), name).await?;
        same("what is behind it", world.stranger.fetch(&link).await?, Bytes::from_static(b"for you"))?;
    }
    Ok(())
}
