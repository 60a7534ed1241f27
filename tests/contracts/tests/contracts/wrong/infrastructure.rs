//! A wrong bus, a wrong queue and a wrong bucket, which violate the contracts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use contracts::{bus, objects, queue};
use domain::Event;
use platform::Publisher;
use platform::memory::{Bucket, Bus, Queue};
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};
use platform::queue::{DeadLetter, DeadLetters, Visibility};

use super::assert_violations;
use crate::memory::{LinkReader, Published, RecordedQueue};

/// Publishes only the first ten events, and reports success.
struct TenAtMost(Arc<Bus>);

#[async_trait]
impl Publisher for TenAtMost {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        self.0.publish(&events[..events.len().min(10)]).await
    }
}

#[tokio::test]
async fn a_bus_that_loses_entries_beyond_one_request() {
    let world = async || {
        let bus = Arc::new(Bus::default());
        let publisher = Arc::new(TenAtMost(bus.clone()));
        Ok(bus::World { publisher, subscriber: Arc::new(Published(bus)) })
    };
    assert_violations(bus::violations(world).await, &["large_batches_arrive_completely"]);
}

/// Ignores visibility timeouts and correlation ids, and rejects a dead-letter message with a long error.
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
        anyhow::ensure!(letter.error.len() < 1000, "the error is too long");
        let letter = DeadLetter { correlation_id: None, ..letter.clone() };
        self.0.send_to_dlq(&letter).await
    }
}

#[tokio::test]
async fn a_queue_that_ignores_timeouts_and_attributes() {
    let world = async || {
        let queue = Arc::new(Queue::default());
        let careless = Arc::new(Careless(queue.clone()));
        Ok(queue::World {
            visibility: careless.clone(),
            dead_letters: careless,
            broker: Arc::new(RecordedQueue(queue)),
        })
    };
    let expected = [
        "an_extended_message_is_redelivered_after_its_timeout_and_not_before",
        "a_dead_letter_message_carries_its_error_attributes",
        "a_dead_letter_message_accepts_any_error_text",
    ];
    assert_violations(queue::violations(world).await, &expected);
}

/// Ignores versions and conditions, overwrites objects, and does not abort uploads.
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
        anyhow::ensure!(self.0.get(key).is_some(), "nothing to delete");
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
async fn a_bucket_that_ignores_versions_and_conditions() {
    let world = async || {
        let files = Arc::new(Bucket::default());
        Ok(objects::World { objects: Arc::new(Sloppy(files.clone())), client: Arc::new(LinkReader(files)) })
    };
    let expected = [
        "reads_start_at_any_offset_and_see_one_version",
        "write_if_absent_does_not_overwrite",
        "parts_form_one_object",
        "an_aborted_upload_leaves_no_object",
        "deleting_is_idempotent",
        "a_presigned_url_returns_the_object",
    ];
    assert_violations(objects::violations(world).await, &expected);
}
