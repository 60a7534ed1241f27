//! The worlds of the in-memory implementations, by the name of the contract suite.

use std::sync::Arc;

use ::invoices::adapters::memory::InMemoryInvoices;
use accounts::adapters::memory::InMemoryProfiles;
use contracts::{
    bus, deliveries, exports, idempotency, images, import_stock, imports, invoices, ledger, objects,
    profiles, quarantine, queue, reports, search_index, search_rows, subscriptions,
};
use inventory::adapters::memory::{InMemoryImports, InMemoryInventory};
use media::adapters::memory::{InMemoryImages, InMemoryQuarantine};
use operations::adapters::memory::InMemoryReports;
use partners::adapters::memory::{InMemoryDeliveries, InMemoryPartners};
use platform::idempotency::InMemoryIdempotencyStore;
use platform::memory::{Bucket, Bus, Queue};
use sales::adapters::memory::{InMemoryExports, InMemoryLedger};
use search::adapters::memory::{InMemoryIndex, InMemoryRows};

use crate::memory::{Earlier, LinkReader, Published, RecordedQueue, Uploader};

pub(crate) use crate::memory::{
    inventory_world as products, inventory_world as reservations, orders_world as orders,
    payments_world as payments, provider_world as provider,
};

pub(crate) fn bus() -> bus::World {
    let bus = Arc::new(Bus::default());
    bus::World { publisher: bus.clone(), subscriber: Arc::new(Published(bus)) }
}

pub(crate) fn deliveries() -> deliveries::World {
    deliveries::World { deliveries: Arc::new(InMemoryDeliveries::default()) }
}

pub(crate) fn exports() -> exports::World {
    exports::World { exports: Arc::new(InMemoryExports::default()) }
}

pub(crate) fn idempotency() -> idempotency::World {
    idempotency::World { claims: Arc::new(InMemoryIdempotencyStore::default()) }
}

pub(crate) fn images() -> images::World {
    images::World { images: Arc::new(InMemoryImages::default()) }
}

pub(crate) fn import_stock() -> import_stock::World {
    let store = Arc::new(InMemoryInventory::default());
    let earlier = Arc::new(Earlier(store.clone()));
    import_stock::World { stock: store.clone(), products: store, earlier }
}

pub(crate) fn imports() -> imports::World {
    imports::World { imports: Arc::new(InMemoryImports::default()) }
}

pub(crate) fn invoices() -> invoices::World {
    invoices::World { invoices: Arc::new(InMemoryInvoices::default()) }
}

pub(crate) fn ledger() -> ledger::World {
    let ledger = Arc::new(InMemoryLedger::default());
    ledger::World { ledger: ledger.clone(), sales: ledger.clone(), bookings: ledger }
}

pub(crate) fn objects() -> objects::World {
    let files = Arc::new(Bucket::default());
    objects::World { objects: files.clone(), client: Arc::new(LinkReader(files)) }
}

pub(crate) fn profiles() -> profiles::World {
    profiles::World { profiles: Arc::new(InMemoryProfiles::default()) }
}

pub(crate) fn quarantine() -> quarantine::World {
    let files = Arc::new(InMemoryQuarantine::default());
    quarantine::World { quarantine: files.clone(), uploader: Arc::new(Uploader(files)) }
}

pub(crate) fn queue() -> queue::World {
    let queue = Arc::new(Queue::default());
    let (visibility, dead_letters) = (queue.clone(), queue.clone());
    queue::World { visibility, dead_letters, broker: Arc::new(RecordedQueue(queue)) }
}

pub(crate) fn reports() -> reports::World {
    reports::World { reports: Arc::new(InMemoryReports::default()) }
}

pub(crate) fn search_index() -> search_index::World {
    search_index::World { index: Arc::new(InMemoryIndex::default()) }
}

pub(crate) fn search_rows() -> search_rows::World {
    search_rows::World { rows: Arc::new(InMemoryRows::default()) }
}

pub(crate) fn subscriptions() -> subscriptions::World {
    subscriptions::World { partners: Arc::new(InMemoryPartners::default()) }
}
