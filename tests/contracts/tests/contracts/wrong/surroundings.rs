//! A wrong bus, a wrong queue and a wrong bucket.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{bus, objects, queue};
use domain::Event;
use platform::Publisher;
use platform::host::queue::Visibility;
use platform::host::record::{DeadLetter, DeadLetters};
use platform::memory::{Bucket, Bus, Queue};
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};

use super::breaks;
use crate::memory::{Linked, Published, Told};

/// Says that all is well when the bus has taken the first ten.
struct TenAtMost(Arc<Bus>);

#[async_trait]
impl Publisher for TenAtMost {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        self.0.publish(&events[..events.len().min(10)]).await
    }
}

#[tokio::test]
async fn a_bus_that_loses_what_does_not_fit_into_one_request() {
    let world = async || {
        let bus = Arc::new(Bus::default());
        let publisher = Arc::new(TenAtMost(bus.clone()));
        Ok(bus::World { publisher, subscriber: Arc::new(Published(bus)) })
    };
    breaks(bus::broken(world).await, &["many_at_once_arrive"]);
}

/// Puts nothing off, and refuses a letter whose reason is longer than an attribute may be.
struct Careless(Arc<Queue>);

#[async_trait]
impl Visibility for Careless {
    async fn extend_visibility_timeout(&self, receipt: &str, _: Duration) -> anyhow::Result<()> {
        Visibility::extend_visibility_timeout(&*self.0, receipt, Duration::ZERO).await
    }
}

#[async_trait]
impl DeadLetters for Careless {
    async fn send_to_dlq(&self, letter: &DeadLetter) -> anyhow::Result<()> {
        anyhow::ensure!(letter.error.len() < 1000, "the reason is too long");
        let letter = DeadLetter { correlation_id: None, ..letter.clone() };
        self.0.send_to_dlq(&letter).await
    }
}

#[tokio::test]
async fn a_queue_that_is_careless_with_what_could_not_be_handled() {
    let world = async || {
        let queue = Arc::new(Queue::default());
        let careless = Arc::new(Careless(queue.clone()));
        Ok(queue::World {
            visibility: careless.clone(),
            dead_letters: careless,
            broker: Arc::new(Told(queue)),
        })
    };
    let expected = [
        "a_message_that_is_put_off_comes_then_and_not_before",
        "a_dead_letter_says_what_was_wrong",
        "a_dead_letter_takes_any_reason",
    ];
    breaks(queue::broken(world).await, &expected);
}

/// Shows any version for the one that is asked for, writes over what is there, and keeps what was given up.
struct Sloppy(Arc<Bucket>);

#[async_trait]
impl ObjectStore for Sloppy {
    async fn read(&self, key: &str, from: u64, _: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        self.0.read(key, from, None).await
    }

    async fn write(&self, file: Object) -> anyhow::Result<()> {
        self.0.write(file).await
    }

    async fn write_if_absent(&self, file: Object) -> anyhow::Result<bool> {
        self.0.write(file).await.map(|()| true)
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.get(key).is_some(), "nothing to remove");
        self.0.delete(key).await
    }

    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        self.0.start_upload(key, content_type).await
    }

    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        self.0.upload_part(upload, number, body).await
    }

    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        let mut parts = parts.to_vec();
        parts.reverse();
        self.0.complete_upload(upload, &parts).await
    }

    async fn abort_upload(&self, _: &MultipartUpload) -> anyhow::Result<()> {
        Ok(())
    }

    async fn presigned_url(&self, _: &str, good_for: Duration, name: Option<&str>) -> anyhow::Result<String> {
        self.0.presigned_url("another", good_for, name).await
    }
}

#[tokio::test]
async fn a_bucket_that_is_sloppy() {
    let world = async || {
        let files = Arc::new(Bucket::default());
        Ok(objects::World { objects: Arc::new(Sloppy(files.clone())), stranger: Arc::new(Linked(files)) })
    };
    let expected = [
        "reading_starts_anywhere_and_sees_one_version",
        "a_new_file_replaces_none",
        "parts_make_one_file",
        "a_file_that_is_given_up_is_not_there",
        "removing_twice_is_fine",
        "a_link_shows_the_file",
    ];
    breaks(objects::broken(world).await, &expected);
}
