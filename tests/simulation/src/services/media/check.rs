//! The invariants of the media service: an upload whose file was scanned is decided, once, by one of its files; its
//! image exists exactly if it was accepted; and the decision is published.

use std::collections::BTreeSet;

use domain::Event;
use domain::product::{ProductFact, RejectReason, Upload, UploadState};
use media::process::quarantine_key;
use media::store::Images;
use platform::lock;

use super::RENDITIONS;
use crate::ports::now;
use crate::world::World;

pub(super) fn check(world: &World) -> Vec<String> {
    let uploads = world.parts.media.images.all();
    let published = lock(&world.parts.media.published).clone();
    let mut violations: Vec<String> =
        uploads.iter().filter_map(|upload| check_upload(world, upload, &published)).collect();
    let decided = |event: &&Event<ProductFact>| uploads.iter().any(|it| it.event().as_ref() == Some(event));
    // After a month, the records of uploads have expired.
    for event in published.iter().filter(|event| !uploads.is_empty() && !decided(event)) {
        violations.push(format!("{} was published, and is not what is stored: {event:?}", event.fact.name()));
    }
    let skus: BTreeSet<_> = uploads.iter().map(|upload| &upload.sku).collect();
    for sku in skus {
        let ready =
            uploads.iter().filter(|it| it.sku == *sku && matches!(it.state, UploadState::Ready { .. }));
        let newest = ready.max_by_key(|upload| upload.id);
        let current = now(world.parts.media.images.current(sku)).ok().flatten();
        if newest != current.as_ref() {
            violations.push(format!("the image of {sku} is {current:?}, and the newest one is {newest:?}"));
        }
    }
    violations
}

fn check_upload(world: &World, upload: &Upload, published: &[Event<ProductFact>]) -> Option<String> {
    let versions = world.parts.media.quarantine.versions(&quarantine_key(&upload.sku, upload.id));
    let id = upload.id;
    // The decision is that on one of the files, or that it was deleted.
    let is_allowed = |reason: Option<RejectReason>| {
        versions.iter().any(|version| {
            version.file.expected() == reason || (version.is_deleted && reason == Some(RejectReason::Expired))
        })
    };
    match &upload.state {
        UploadState::Pending if versions.is_empty() => return None,
        UploadState::Pending => return Some(format!("upload {id} was never decided")),
        UploadState::Rejected { reason, .. } if !is_allowed(Some(*reason)) => {
            return Some(format!("upload {id} of {versions:?} was rejected: {reason:?}"));
        }
        UploadState::Rejected { .. } => {}
        UploadState::Ready { image, .. } => {
            let bucket = world.bucket(RENDITIONS);
            let stored = |key: &str| bucket.get(key).and_then(|object| u64::try_from(object.body.len()).ok());
            if !is_allowed(None) || image.renditions.len() != 6 {
                return Some(format!("upload {id} of {versions:?} was accepted: {image:?}"));
            }
            if image.renditions.iter().any(|rendition| stored(&rendition.key) != Some(rendition.bytes)) {
                return Some(format!("a rendition of upload {id} does not exist"));
            }
        }
    }
    let event = upload.event()?;
    (!published.contains(&event)).then(|| format!("the decision on upload {id} was not published"))
}
