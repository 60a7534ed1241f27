//! The ports of the media service.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use domain::product::{ProductFact, RejectReason, Upload, UploadState};
use domain::{Event, Sku, UploadId};
use media::adapters::memory::UnsignedForms;
use media::rendition::{Rendered, Renderer, render};
use media::store::{FileVersion, Images, Quarantine, ReadOutcome, UploadForm, UploadForms, UploadPolicy};
use platform::lock;
use platform::publisher::PutEvents;

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

#[async_trait]
impl Images for Ports {
    async fn create(&self, upload: &Upload) -> anyhow::Result<()> {
        let upload = upload.clone();
        self.read("images.create", move |world| now(world.parts.media.images.create(&upload))).await
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        let sku = sku.clone();
        self.read("images.get", move |world| now(Images::get(&world.parts.media.images, &sku, id))).await
    }

    async fn latest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let sku = sku.clone();
        self.read("images.latest", move |world| now(world.parts.media.images.latest(&sku))).await
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let sku = sku.clone();
        self.read("images.current", move |world| now(world.parts.media.images.current(&sku))).await
    }

    async fn complete(&self, completed: &Upload) -> anyhow::Result<Upload> {
        let completed = completed.clone();
        self.read("images.complete", move |world| {
            let images = &world.parts.media.images;
            let Upload { sku, id, .. } = &completed;
            let before = now(Images::get(images, sku, *id))?;
            if world.has_mutation(Mutation::OverwriteUploadResult) {
                images.forget_result(sku, *id);
            }
            let stored = now(images.complete(&completed))?;
            let is_decided = before.as_ref().is_some_and(|before| before.state != UploadState::Pending);
            if is_decided && before.as_ref() != Some(&stored) {
                world.report_violation(format!("the result of upload {id} was overwritten"));
            }
            Ok(stored)
        })
        .await
    }
}

#[async_trait]
impl UploadForms for Ports {
    async fn create(&self, policy: &UploadPolicy) -> anyhow::Result<UploadForm> {
        let policy = policy.clone();
        self.read("forms.create", move |_| now(UnsignedForms.create(&policy))).await
    }
}

/// The quarantine, as `process-upload` reads it.
pub(super) struct QuarantinePort(pub(super) Ports);

#[async_trait]
impl Quarantine for QuarantinePort {
    async fn read(&self, file: &FileVersion, _: u32) -> anyhow::Result<ReadOutcome> {
        let file = file.clone();
        self.0.read("quarantine.read", move |world| Ok(world.parts.media.quarantine.read(&file))).await
    }
}

/// A renderer that does not leave the thread of the run, and renders each of the few files once.
pub(super) struct InlineRenderer;

type Rendering = (Bytes, Result<Rendered, RejectReason>);

static RENDERED: OnceLock<std::sync::Mutex<Vec<Rendering>>> = OnceLock::new();

#[async_trait]
impl Renderer for InlineRenderer {
    async fn render(&self, content: Bytes) -> anyhow::Result<Result<Rendered, RejectReason>> {
        let mut known = lock(RENDERED.get_or_init(Default::default));
        if let Some((_, rendered)) = known.iter().find(|(file, _)| *file == content) {
            return Ok(rendered.clone());
        }
        let rendered = render(&content);
        known.push((content, rendered.clone()));
        Ok(rendered)
    }
}

#[async_trait]
impl PutEvents<ProductFact> for Ports {
    async fn put(&self, events: &[&Event<ProductFact>]) -> anyhow::Result<Vec<Option<String>>> {
        let events: Vec<Event<ProductFact>> = events.iter().map(|event| (*event).clone()).collect();
        let world = Arc::clone(&self.world);
        let allowed = world.wiring.publishes.get(self.caller.function);
        for name in events.iter().map(|event| event.fact.name()) {
            if !allowed.is_some_and(|types| types.contains(name)) {
                let function = self.caller.function;
                world.report_violation(format!("{function} may not publish {name}: add it to its Publishes"));
            }
        }
        let answers = self.caller.call("bus.put_events", move || {
            let put = |event: &Event<ProductFact>| {
                if world.sim.should_inject(|rates| rates.reject_entry) {
                    return Some("ThrottlingException".to_owned());
                }
                lock(&world.parts.media.published).push(event.clone());
                None
            };
            events.iter().map(put).collect()
        });
        Ok(answers.await?)
    }
}
