//! The services that have an API.

use std::sync::Arc;

use accounts::adapters::memory::InMemoryProfiles;
use async_trait::async_trait;
use axum::Router;
use inventory::adapters::memory::InMemoryInventory;
use invoices::adapters::memory::InMemoryInvoices;
use media::adapters::memory::{InMemoryImages, UnsignedForms};
use operations::adapters::memory::InMemoryReports;
use operations::report::{Report, Step, StepReport};
use orders::adapters::memory::InMemoryOrders;
use orders::quota::OrderLimit;
use partners::adapters::memory::{
    InMemoryDeliveries, InMemoryDeliveryQueue, InMemoryPartners, SequentialSecretGenerator,
};
use payments::webhook::{SecretSource, Secrets, WebhookApi};
use platform::Clock;
use platform::clock::SystemClock;
use platform::http::Operation;
use platform::memory::{Bucket, Bus};
use sales::adapters::memory::{FixedLinkSecret, InMemoryExportQueue, InMemoryExports};
use sales::report::link::LinkSigner;
use search::adapters::memory::InMemoryIndex;
use secrecy::SecretString;

/// A service with an API.
pub struct Service {
    /// Its tag in the contract.
    pub name: &'static str,
    /// A one-line description of its operations.
    pub description: &'static str,
    /// Its functions that serve routes.
    pub apis: Vec<Api>,
    /// The router over in-memory ports, which the contract is tested against.
    pub router: Router,
}

/// A function that serves routes.
pub struct Api {
    /// The name of its binary.
    pub function: &'static str,
    /// The operations that it serves.
    pub operations: Vec<Operation>,
}

impl Service {
    /// The operations of all its functions.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.apis.iter().flat_map(|api| &api.operations)
    }
}

/// All services with an API. To add one, write a function like those below, and add it here.
pub fn services() -> Vec<Service> {
    vec![
        accounts(),
        orders(),
        search(),
        inventory(),
        media(),
        payments(),
        partners(),
        operations(),
        invoices(),
        sales(),
        reference(),
    ]
}

fn accounts() -> Service {
    let api =
        accounts::api::Api { profiles: Arc::new(InMemoryProfiles::default()), clock: Arc::new(SystemClock) };
    Service {
        name: "accounts",
        description: "The customer's own profile.",
        apis: vec![Api { function: "accounts-api", operations: accounts::api::routes().operations() }],
        router: accounts::api::router(api),
    }
}

/// Stripe's webhook. The signing secret is not known here, so it rejects every request of a test.
fn payments() -> Service {
    struct UnknownSecret;
    #[async_trait]
    impl SecretSource for UnknownSecret {
        async fn read(&self) -> anyhow::Result<SecretString> {
            Ok(SecretString::from("none yet"))
        }
    }
    let clock = Arc::new(SystemClock);
    let api = WebhookApi {
        secrets: Secrets::new(Arc::new(UnknownSecret), clock.clone()),
        publisher: Arc::new(Bus::default()),
        clock,
    };
    Service {
        name: "payments",
        description: "Webhooks of the payment provider, Stripe.",
        apis: vec![Api {
            function: "stripe-webhook",
            operations: payments::webhook::api::routes().operations(),
        }],
        router: payments::webhook::router(api),
    }
}

fn partners() -> Service {
    let api = partners::api::Api {
        partners: Arc::new(InMemoryPartners::default()),
        deliveries: Arc::new(InMemoryDeliveries::default()),
        queue: Arc::new(InMemoryDeliveryQueue::default()),
        secrets: Arc::new(SequentialSecretGenerator::default()),
        exempt: None,
        clock: Arc::new(SystemClock),
    };
    Service {
        name: "partners",
        description: "Webhooks for partners: events of the orders of their customers.",
        apis: vec![Api { function: "webhooks-api", operations: partners::api::routes().operations() }],
        router: partners::api::router(api),
    }
}

fn orders() -> Service {
    let api = orders::api::Api {
        orders: Arc::new(InMemoryOrders::default()),
        limit: OrderLimit { max_orders: 20, window_seconds: 600 },
        clock: Arc::new(SystemClock),
    };
    Service {
        name: "orders",
        description: "Place, track and cancel orders.",
        apis: vec![Api { function: "orders-api", operations: orders::api::routes().operations() }],
        router: orders::api::router(api),
    }
}

fn search() -> Service {
    let api = search::api::Api { index: Arc::new(InMemoryIndex::default()) };
    Service {
        name: "search",
        description: "Full-text search of orders.",
        apis: vec![Api { function: "search-orders", operations: search::api::routes().operations() }],
        router: search::api::router(api),
    }
}

fn inventory() -> Service {
    let stock = Arc::new(InMemoryInventory::default());
    let api =
        inventory::api::Api { products: stock.clone(), reservations: stock, clock: Arc::new(SystemClock) };
    Service {
        name: "inventory",
        description: "Products, their stock, and reservations for orders.",
        apis: vec![Api { function: "inventory-api", operations: inventory::api::routes().operations() }],
        router: inventory::api::router(api),
    }
}

fn invoices() -> Service {
    let api = invoices::api::Api {
        invoices: Arc::new(InMemoryInvoices::default()),
        objects: Arc::new(Bucket::default()),
    };
    Service {
        name: "invoices",
        description: "Invoices of paid orders.",
        apis: vec![Api { function: "render-invoice", operations: invoices::api::routes().operations() }],
        router: invoices::api::router(api),
    }
}

fn sales() -> Service {
    let clock = Arc::new(SystemClock);
    let exports = sales::export::api::Api {
        exports: Arc::new(InMemoryExports::default()),
        queue: Arc::new(InMemoryExportQueue::default()),
        files: Arc::new(Bucket::default()),
        clock: clock.clone(),
        zone: jiff::tz::TimeZone::UTC,
    };
    let reports = sales::report::api::Api {
        files: Arc::new(Bucket::default()),
        links: LinkSigner::new(Arc::new(FixedLinkSecret), clock.clone()),
        clock,
    };
    Service {
        name: "sales",
        description: "Exports of orders, and daily sales reports.",
        apis: vec![Api { function: "exports-api", operations: sales::api::operations() }],
        router: sales::api::router(exports, reports),
    }
}

fn media() -> Service {
    let api = media::api::Api {
        images: Arc::new(InMemoryImages::default()),
        forms: Arc::new(UnsignedForms),
        renditions: Arc::new(Bucket::default()),
        clock: Arc::new(SystemClock),
    };
    Service {
        name: "media",
        description: "Product images.",
        apis: vec![Api { function: "media-api", operations: media::api::routes().operations() }],
        router: media::api::router(api),
    }
}

/// The health check, with a report that was written just now and found everything healthy.
fn operations() -> Service {
    let step = StepReport { step: Step::ListProducts, ok: true, duration_ms: 7 };
    let report = Report {
        checked_at: SystemClock.now(),
        steps: vec![step],
        has_late_messages: false,
        missing: Vec::new(),
    };
    let api = operations::api::Api {
        reports: Arc::new(InMemoryReports::with(report)),
        clock: Arc::new(SystemClock),
    };
    Service {
        name: "operations",
        description: "The health of the shop.",
        apis: vec![Api { function: "health-api", operations: operations::api::routes().operations() }],
        router: operations::api::router(api),
    }
}

fn reference() -> Service {
    Service {
        name: "reference",
        description: "The API contract itself.",
        apis: vec![Api { function: "serve-reference", operations: reference::api::routes().operations() }],
        router: reference::api::router(),
    }
}
