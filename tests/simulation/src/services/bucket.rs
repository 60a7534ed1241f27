//! The buckets, as functions call them.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use platform::memory::Bucket;
use platform::objects::{MultipartUpload, Object, ObjectStore, ObjectStream, Part};

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

/// A bucket of the world, called through [`Caller::call`](crate::sim::Caller::call).
#[derive(Clone)]
pub struct BucketPort {
    ports: Ports,
    /// The logical id.
    name: &'static str,
}

impl Ports {
    /// The bucket with this logical id.
    pub fn bucket(&self, name: &'static str) -> BucketPort {
        BucketPort { ports: self.clone(), name }
    }
}

impl BucketPort {
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        effect: impl Fn(&Bucket) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let name = self.name;
        self.ports.read(what, move |world| effect(&world.bucket(name))).await
    }

    /// Makes a call that may create the object with this key, which S3 then reports.
    async fn create<T: Send + 'static>(
        &self,
        what: &'static str,
        key: String,
        effect: impl Fn(&Bucket) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let name = self.name;
        self.ports
            .read(what, move |world| {
                let bucket = world.bucket(name);
                let before = bucket.get(&key);
                let result = effect(&bucket)?;
                if bucket.get(&key) != before {
                    world.object_created(name, &key);
                }
                Ok(result)
            })
            .await
    }
}

#[async_trait]
impl ObjectStore for BucketPort {
    async fn read(&self, key: &str, from: u64, etag: Option<&str>) -> anyhow::Result<Option<ObjectStream>> {
        let (mut key, etag) = (key.to_owned(), etag.map(str::to_owned));
        let world = &self.ports.world;
        if world.has_mutation(Mutation::ForgetReportEmail) && key.ends_with("/mailed.json") {
            return Ok(None);
        }
        if world.has_mutation(Mutation::DocumentOfAnotherOrder) && key.starts_with("invoices/") {
            let kind = key.rsplit('.').next().unwrap_or_default().to_owned();
            let mut keys = world.bucket(self.name).keys().into_iter();
            key = keys.find(|it| it.starts_with("invoices/") && it.ends_with(&kind)).unwrap_or(key);
        }
        self.call("bucket.read", move |bucket| now(bucket.read(&key, from, etag.as_deref()))).await
    }

    async fn write(&self, object: Object) -> anyhow::Result<()> {
        let key = object.key.clone();
        self.create("bucket.write", key, move |bucket| now(bucket.write(object.clone()))).await
    }

    async fn write_if_absent(&self, object: Object) -> anyhow::Result<bool> {
        let key = object.key.clone();
        self.create("bucket.write_if_absent", key, move |bucket| now(bucket.write_if_absent(object.clone())))
            .await
    }

    async fn delete(&self, key: &str) -> anyhow::Result<()> {
        let key = key.to_owned();
        self.call("bucket.delete", move |bucket| now(bucket.delete(&key))).await
    }

    async fn start_upload(&self, key: &str, content_type: &str) -> anyhow::Result<MultipartUpload> {
        let (key, content_type) = (key.to_owned(), content_type.to_owned());
        self.call("bucket.start_upload", move |bucket| now(bucket.start_upload(&key, &content_type))).await
    }

    async fn upload_part(&self, upload: &MultipartUpload, number: u32, body: Bytes) -> anyhow::Result<Part> {
        let upload = upload.clone();
        self.call("bucket.upload_part", move |bucket| now(bucket.upload_part(&upload, number, body.clone())))
            .await
    }

    async fn complete_upload(&self, upload: &MultipartUpload, parts: &[Part]) -> anyhow::Result<()> {
        let (upload, mut parts) = (upload.clone(), parts.to_vec());
        if self.ports.world.has_mutation(Mutation::ExportSkipsLastPart) && parts.len() > 1 {
            parts.pop();
        }
        let key = upload.key.clone();
        self.create("bucket.complete_upload", key, move |bucket| now(bucket.complete_upload(&upload, &parts)))
            .await
    }

    async fn abort_upload(&self, upload: &MultipartUpload) -> anyhow::Result<()> {
        let upload = upload.clone();
        self.call("bucket.abort_upload", move |bucket| now(bucket.abort_upload(&upload))).await
    }

    async fn presigned_url(
        &self,
        key: &str,
        valid_for: Duration,
        file_name: Option<&str>,
    ) -> anyhow::Result<String> {
        let (key, file_name) = (key.to_owned(), file_name.map(str::to_owned));
        self.call("bucket.presigned_url", move |bucket| {
            now(bucket.presigned_url(&key, valid_for, file_name.as_deref()))
        })
        .await
    }
}
