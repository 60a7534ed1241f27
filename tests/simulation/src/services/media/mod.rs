//! The media service: `media-api`, `process-upload`, staff who upload images, and GuardDuty, which scans them.

mod check;
mod ports;
pub mod quarantine;
mod uploads;

use std::sync::{Arc, Mutex};

use domain::Event;
use domain::product::ProductFact;
use media::adapters::GuardDuty;
use media::adapters::memory::InMemoryImages;
use media::api::{Api, router};
use media::process::ProcessUpload;
use media::store::Images;
use platform::publisher::BusPublisher;

use super::handler::Handler;
use super::{Assemble, Service};
use crate::ports::{Ports, now};
use crate::queue::DeadLetter;
use crate::world::World;
use ports::{InlineRenderer, QuarantinePort};
use quarantine::QuarantineBucket;

/// The logical id of the bucket of the renditions.
const RENDITIONS: &str = "RenditionsBucket";

/// The part of the world.
#[derive(Default)]
pub struct State {
    /// The uploads and the current images.
    pub images: InMemoryImages,
    /// The bucket that files are uploaded to.
    pub quarantine: QuarantineBucket,
    /// The events that the bus accepted.
    pub published: Mutex<Vec<Event<ProductFact>>>,
}

/// The media service.
pub struct Media;

impl Service for Media {
    fn name(&self) -> &'static str {
        "media"
    }

    fn functions(&self) -> &'static [(&'static str, Assemble)] {
        &[("media-api", media_api), ("process-upload", process_upload)]
    }

    fn start(&self, world: &Arc<World>) {
        uploads::start(world);
    }

    fn check(&self, world: &World) -> Vec<String> {
        check::check(world)
    }

    fn expire_rows(&self, world: &World) {
        world.parts.media.images.remove_expired(world.sim.now());
    }

    /// The current images and the renditions; the records of uploads expire.
    fn final_state(&self, world: &World) -> String {
        let skus = uploads::SKUS.into_iter().filter_map(|sku| sku.parse().ok());
        let current: Vec<_> =
            skus.map(|sku| now(world.parts.media.images.current(&sku)).ok().flatten()).collect();
        format!("{current:?} {:?}", world.bucket(RENDITIONS).keys())
    }

    /// A scan result that comes after the record of its upload has expired.
    fn may_reject(&self, world: &World, letter: &DeadLetter) -> bool {
        letter.kind == "reject" && world.parts.media.images.all().is_empty()
    }
}

fn media_api(ports: &Ports) -> Handler {
    let api = Api {
        images: Arc::new(ports.clone()),
        forms: Arc::new(ports.clone()),
        renditions: Arc::new(ports.bucket(RENDITIONS)),
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::api(ports, router(api))
}

fn process_upload(ports: &Ports) -> Handler {
    let handler = ProcessUpload {
        images: Arc::new(ports.clone()),
        quarantine: Arc::new(QuarantinePort(ports.clone())),
        scanner: Arc::new(GuardDuty),
        renderer: Arc::new(InlineRenderer),
        renditions: Arc::new(ports.bucket(RENDITIONS)),
        clock: Arc::new(ports.caller.clone()),
    };
    Handler::queue::<ProductFact>(ports, handler, Arc::new(BusPublisher(ports.clone())))
}
