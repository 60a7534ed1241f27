//! The services that have an API.

use std::sync::Arc;

use accounts::adapters::memory::InMemoryProfiles;
use async_trait::async_trait;
use axum::Router;
use documents::adapters::invoices::memory::InMemoryInvoices;
use documents::adapters::memory::{FixedLinkSecret, InMemoryExportQueue, InMemoryExports};
use inventory::adapters::memory::InMemoryInventory;
use media::adapters::memory::{InMemoryImages, UnsignedForms};
use operations::report::{Report, Step, StepReport};
use operations::store::Reports;
use orders::adapters::memory::InMemoryOrders;
use partners::adapters::memory::{
    InMemoryDeliveries, InMemoryDeliveryQueue, InMemoryPartners, SequentialSecretGenerator,
};
use payments::webhook::{SecretSource, Secrets, WebhookApi};
use platform::Clock;
use platform::clock::SystemClock;
use platform::http::Operation;
use platform::memory::{Bucket, Bus};
use search::adapters::memory::InMemoryIndex;
use secrecy::SecretString;

/// A service with an API.
pub struct Service {
    /// What the contract calls it.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Its functions that have an API, by their binaries.
    pub apis: Vec<Api>,
    /// Its routes, over ports in memory: what the contract is tested against.
    pub router: Router,
}

/// A function that serves routes.
pub struct Api {
    /// Its binary.
    pub function: &'static str,
    /// What it serves.
    pub operations: Vec<Operation>,
}

impl Service {
    /// What it does.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.apis.iter().flat_map(|api| &api.operations)
    }
}

/// All of them. One more is a function like those below, and a line here.
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
        documents(),
        reference(),
    ]
}

fn accounts() -> Service {
    let api = accounts::api::Api { profiles: Arc::new(InMemoryProfiles::default()) };
    Service {
        name: "accounts",
        about: "What the shop knows of you.",
        apis: vec![Api { function: "accounts-api", operations: accounts::api::routes().operations() }],
        router: accounts::api::router(api),
    }
}

/// Stripe's webhook. What it signs with is not known here, so all that a test can send is refused.
fn payments() -> Service {
    struct Nothing;
    #[async_trait]
    impl SecretSource for Nothing {
        async fn read(&self) -> anyhow::Result<SecretString> {
            Ok(SecretString::from("none yet"))
        }
    }
    let clock = Arc::new(SystemClock);
    let api = WebhookApi {
        secrets: Secrets::new(Arc::new(Nothing), clock.clone()),
        publisher: Arc::new(Bus::default()),
        clock,
    };
    Service {
        name: "payments",
        about: "What Stripe tells unasked.",
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
        about: "News of the orders of a partner's customers, sent to where the partner wants it.",
        apis: vec![Api { function: "webhooks-api", operations: partners::api::routes().operations() }],
        router: partners::api::router(api),
    }
}

fn orders() -> Service {
    let api = orders::api::Api { orders: Arc::new(InMemoryOrders::default()), clock: Arc::new(SystemClock) };
    Service {
        name: "orders",
        about: "Place orders, follow them, cancel them.",
        apis: vec![Api { function: "orders-api", operations: orders::api::routes().operations() }],
        router: orders::api::router(api),
    }
}

fn search() -> Service {
    let api = search::api::Api { index: Arc::new(InMemoryIndex::default()) };
    Service {
        name: "search",
        about: "Find orders by what you know of them.",
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
        about: "Products, their stock, and what is set aside for orders.",
        apis: vec![Api { function: "inventory-api", operations: inventory::api::routes().operations() }],
        router: inventory::api::router(api),
    }
}

fn documents() -> Service {
    use documents::export::api as exports;
    use documents::invoice::api as invoices;
    let invoice_api = invoices::Api {
        invoices: Arc::new(InMemoryInvoices::default()),
        objects: Arc::new(Bucket::default()),
    };
    let clock = Arc::new(SystemClock);
    let export_api = exports::Api {
        exports: Arc::new(InMemoryExports::default()),
        queue: Arc::new(InMemoryExportQueue::default()),
        files: Arc::new(Bucket::default()),
        links: documents::report::link::LinkSigner::new(Arc::new(FixedLinkSecret), clock.clone()),
        clock,
        zone: jiff::tz::TimeZone::UTC,
    };
    Service {
        name: "documents",
        about: "Invoices of paid orders, exports of orders, and reports of what was sold.",
        apis: vec![
            Api { function: "render-invoice", operations: invoices::routes().operations() },
            Api { function: "exports-api", operations: exports::routes().operations() },
        ],
        router: invoices::router(invoice_api).merge(exports::router(export_api)),
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
        about: "Pictures of products.",
        apis: vec![Api { function: "media-api", operations: media::api::routes().operations() }],
        router: media::api::router(api),
    }
}

/// Somebody looked just now, and all was well.
fn operations() -> Service {
    /// What is found, whenever it is asked for.
    struct Well;
    #[async_trait]
    impl Reports for Well {
        async fn last(&self) -> anyhow::Result<Option<Report>> {
            let step = StepReport { step: Step::ListProducts, ok: true, duration_ms: 7 };
            Ok(Some(Report { checked_at: SystemClock.now(), steps: vec![step], has_late_messages: false }))
        }
        async fn save(&self, _: &Report) -> anyhow::Result<()> {
            Ok(())
        }
    }
    let api = operations::api::Api { reports: Arc::new(Well), clock: Arc::new(SystemClock) };
    Service {
        name: "operations",
        about: "Whether the shop is well.",
        apis: vec![Api { function: "health-api", operations: operations::api::routes().operations() }],
        router: operations::api::router(api),
    }
}

fn reference() -> Service {
    Service {
        name: "reference",
        about: "This contract.",
        apis: vec![Api { function: "serve-reference", operations: reference::routes().operations() }],
        router: reference::router(),
    }
}
