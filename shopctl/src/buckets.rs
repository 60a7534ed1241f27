//! Deletes objects from a stack's buckets, including all versions.

use anyhow::Context as _;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use crate::stack::{Resource, Stack};

/// The maximum number of objects in a DeleteObjects request.
const MAX_BATCH: usize = 1_000;

/// The buckets of the stack.
pub(crate) fn all(stack: &Stack) -> anyhow::Result<Vec<Resource>> {
    let mut buckets = stack.resources()?;
    buckets.retain(|resource| resource.kind == "AWS::S3::Bucket" && !resource.physical_id.is_empty());
    Ok(buckets)
}

/// Deletes every version, and every delete marker, of the objects whose key satisfies `filter`. Returns their
/// number.
///
/// # Errors
/// When the bucket cannot be listed, or an object cannot be deleted.
pub(crate) fn delete(stack: &Stack, bucket: &str, filter: impl Fn(&str) -> bool) -> anyhow::Result<usize> {
    let (mut key, mut version, mut deleted) = (None, None, 0_usize);
    loop {
        let list = stack.aws.s3.list_object_versions().bucket(bucket);
        let page = stack.aws.wait(list.set_key_marker(key).set_version_id_marker(version).send());
        let page = page.map_err(|error| failed("list", bucket, &DisplayErrorContext(&error)))?;
        let versions = page.versions().iter().map(|object| (object.key(), object.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let found: Vec<(String, Option<String>)> = versions
            .chain(markers)
            .filter_map(|(key, version)| Some((key?.to_owned(), version.map(str::to_owned))))
            .filter(|(key, _)| filter(key))
            .collect();
        for batch in found.chunks(MAX_BATCH) {
            delete_batch(stack, bucket, batch)?;
        }
        deleted = deleted.saturating_add(found.len());
        if !page.is_truncated().unwrap_or_default() {
            return Ok(deleted);
        }
        (key, version) = (page.next_key_marker, page.next_version_id_marker);
    }
}

fn delete_batch(stack: &Stack, bucket: &str, objects: &[(String, Option<String>)]) -> anyhow::Result<()> {
    let identifiers = objects.iter().map(|(key, version)| {
        ObjectIdentifier::builder()
            .key(key)
            .set_version_id(version.clone())
            .build()
            .context("an object has no key")
    });
    let identifiers = identifiers.collect::<anyhow::Result<Vec<_>>>()?;
    let delete = Delete::builder().set_objects(Some(identifiers)).quiet(true).build()?;
    let response = stack.aws.wait(stack.aws.s3.delete_objects().bucket(bucket).delete(delete).send());
    let response = response.map_err(|error| failed("delete from", bucket, &DisplayErrorContext(&error)))?;
    match response.errors().first() {
        None => Ok(()),
        Some(error) => Err(failed(
            "delete from",
            bucket,
            &format!("{}: {}", error.key().unwrap_or_default(), error.message().unwrap_or_default()),
        )),
    }
}

/// Deletes an empty bucket.
///
/// # Errors
/// When the bucket cannot be deleted.
pub(crate) fn remove(stack: &Stack, bucket: &str) -> anyhow::Result<()> {
    let response = stack.aws.wait(stack.aws.s3.delete_bucket().bucket(bucket).send());
    response.map(drop).map_err(|error| failed("delete", bucket, &DisplayErrorContext(&error)))
}

fn failed(doing: &str, bucket: &str, error: &dyn std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot {doing} bucket {bucket}: {error}")
}
