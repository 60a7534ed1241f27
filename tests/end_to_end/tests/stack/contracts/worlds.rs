//! The worlds of the real adapters, by the name of the contract suite.

use std::sync::Arc;

use ::invoices::adapters::DynamoDbInvoices;
use ::orders::adapters::{DynamoDbOrders, DynamoDbOutbox};
use ::payments::adapters::DynamoDbPayments;
use accounts::adapters::DynamoDbProfiles;
use aws::DynamoDbIdempotencyStore;
use contracts::{
    bus, deliveries, exports, idempotency, images, import_stock, imports, inventory_world, invoices, ledger,
    objects, orders, payments, profiles, provider, quarantine, queue, reports, search_index, search_rows,
    subscriptions,
};
use end_to_end::Stack;
use inventory::adapters::{DynamoDbImports, DynamoDbProducts, DynamoDbReservations, DynamoDbStock};
use media::adapters::DynamoDbImages;
use operations::adapters::DynamoDbReports;
use partners::adapters::{DynamoDbDeliveries, DynamoDbPartners};
use platform::clock::SystemClock;
use sales::adapters::{DynamoDbExports, DynamoDbLedger};
use search::adapters::DynamoDbRows;
use search::postings::PostingsIndex;

use super::clients::{Clients, Mutator};
use super::resources::TestResources;
use super::stores::{Tables, WithoutRevisions};

const PRODUCTS: &str = "lambdas/inventory/src/adapters/products.rs";
const ORDERS: &str = "lambdas/orders/src/adapters/orders.rs";

/// Creates the worlds, each with tables, queues and buckets of its own.
pub(super) struct Worlds<'a> {
    tables: Tables<'a>,
    resources: TestResources<'a>,
    clients: Clients,
}

impl<'a> Worlds<'a> {
    /// Creates worlds on the stack, whose adapters send their requests through the mutator, if there is one.
    pub(super) fn new(stack: &'a Stack, mutator: Option<Arc<Mutator>>) -> Self {
        Self {
            tables: Tables::new(stack),
            resources: TestResources::new(stack),
            clients: Clients::new(stack.aws.sdk_config(), mutator),
        }
    }

    /// Deletes everything that was created.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        self.tables.remove().await?;
        self.resources.remove().await
    }

    pub(super) async fn bus(&self) -> anyhow::Result<bus::World> {
        self.resources.bus().await
    }

    pub(super) async fn deliveries(&self) -> anyhow::Result<deliveries::World> {
        let [table] = self.tables.create(["WebhookDeliveriesTable"]).await?;
        let client = self.clients.dynamodb("lambdas/partners/src/adapters/deliveries.rs");
        Ok(deliveries::World { deliveries: Arc::new(DynamoDbDeliveries::new(client, table)) })
    }

    pub(super) async fn exports(&self) -> anyhow::Result<exports::World> {
        let [table] = self.tables.create(["ExportsTable"]).await?;
        let client = self.clients.dynamodb("lambdas/sales/src/adapters/exports.rs");
        Ok(exports::World { exports: Arc::new(DynamoDbExports::new(client, table)) })
    }

    pub(super) async fn idempotency(&self) -> anyhow::Result<idempotency::World> {
        let [table] = self.tables.create(["EmailsTable"]).await?;
        let client = self.clients.dynamodb("shared/aws/src/idempotency.rs");
        Ok(idempotency::World { claims: Arc::new(DynamoDbIdempotencyStore::new(client, table)) })
    }

    pub(super) async fn images(&self) -> anyhow::Result<images::World> {
        let [table] = self.tables.create(["ImagesTable"]).await?;
        let client = self.clients.dynamodb("lambdas/media/src/adapters/images.rs");
        Ok(images::World { images: Arc::new(DynamoDbImages::new(client, table)) })
    }

    pub(super) async fn import_stock(&self) -> anyhow::Result<import_stock::World> {
        let [products, deliveries] = self.tables.create(["ProductsTable", "DeliveriesTable"]).await?;
        let client = self.clients.dynamodb("lambdas/inventory/src/adapters/stock.rs");
        let api = self.clients.dynamodb(PRODUCTS);
        let earlier = WithoutRevisions { stack: Stack::from_env()?, table: products.clone() };
        Ok(import_stock::World {
            stock: Arc::new(DynamoDbStock::new(client, products.clone(), deliveries.clone())),
            products: Arc::new(DynamoDbProducts::new(api, products, deliveries)),
            earlier: Arc::new(earlier),
        })
    }

    pub(super) async fn imports(&self) -> anyhow::Result<imports::World> {
        let [table] = self.tables.create(["ImportsTable"]).await?;
        let client = self.clients.dynamodb("lambdas/inventory/src/adapters/imports.rs");
        Ok(imports::World { imports: Arc::new(DynamoDbImports::new(client, table)) })
    }

    pub(super) async fn invoices(&self) -> anyhow::Result<invoices::World> {
        let [table] = self.tables.create(["InvoicesTable"]).await?;
        let client = self.clients.dynamodb("lambdas/invoices/src/adapters/invoices.rs");
        Ok(invoices::World { invoices: Arc::new(DynamoDbInvoices::new(client, table)) })
    }

    pub(super) async fn ledger(&self) -> anyhow::Result<ledger::World> {
        let [table] = self.tables.create(["LedgerTable"]).await?;
        let client = self.clients.dynamodb("lambdas/sales/src/adapters/ledger.rs");
        let ledger = Arc::new(DynamoDbLedger::new(client, table));
        Ok(ledger::World { ledger: ledger.clone(), sales: ledger.clone(), bookings: ledger })
    }

    pub(super) async fn objects(&self) -> anyhow::Result<objects::World> {
        self.resources.objects(&self.clients.config("shared/aws_objects/src/lib.rs")).await
    }

    pub(super) async fn orders(&self) -> anyhow::Result<orders::World> {
        let tables = ["OrdersTable", "OutboxTable", "IdempotencyTable", "OrderCountsTable"];
        let [orders, outbox, keys, counts] = self.tables.create(tables).await?;
        let client = self.clients.dynamodb(ORDERS);
        Ok(orders::World {
            orders: Arc::new(DynamoDbOrders::new(client.clone(), orders, outbox.clone(), keys, counts)),
            outbox: Arc::new(DynamoDbOutbox::new(client, outbox)),
        })
    }

    pub(super) async fn payments(&self) -> anyhow::Result<payments::World> {
        let [table] = self.tables.create(["PaymentsTable"]).await?;
        let client = self.clients.dynamodb("lambdas/payments/src/adapters/payments.rs");
        Ok(payments::World { payments: Arc::new(DynamoDbPayments::new(client, table)) })
    }

    pub(super) async fn products(&self) -> anyhow::Result<inventory_world::World> {
        let [products, deliveries, reservations] =
            self.tables.create(["ProductsTable", "DeliveriesTable", "ReservationsTable"]).await?;
        let client = self.clients.dynamodb("lambdas/inventory/src/adapters/reservations.rs");
        let api = self.clients.dynamodb(PRODUCTS);
        Ok(inventory_world::World {
            products: Arc::new(DynamoDbProducts::new(api, products.clone(), deliveries)),
            reservations: Arc::new(DynamoDbReservations::new(client, reservations, products)),
        })
    }

    pub(super) async fn profiles(&self) -> anyhow::Result<profiles::World> {
        let [table] = self.tables.create(["ProfilesTable"]).await?;
        let client = self.clients.dynamodb("lambdas/accounts/src/adapters/profiles.rs");
        Ok(profiles::World { profiles: Arc::new(DynamoDbProfiles::new(client, table)) })
    }

    pub(super) async fn provider(&self) -> anyhow::Result<provider::World> {
        self.resources.provider().await
    }

    pub(super) async fn quarantine(&self) -> anyhow::Result<quarantine::World> {
        self.resources.quarantine(&self.clients.config("lambdas/media/src/adapters/quarantine.rs")).await
    }

    pub(super) async fn queue(&self) -> anyhow::Result<queue::World> {
        self.resources.queue().await
    }

    pub(super) async fn reports(&self) -> anyhow::Result<reports::World> {
        let [table] = self.tables.create(["HealthTable"]).await?;
        let client = self.clients.dynamodb("lambdas/operations/src/adapters/reports.rs");
        Ok(reports::World { reports: Arc::new(DynamoDbReports::new(client, table)) })
    }

    pub(super) async fn reservations(&self) -> anyhow::Result<inventory_world::World> {
        self.products().await
    }

    async fn rows(&self) -> anyhow::Result<DynamoDbRows> {
        let [records, postings] = self.tables.create(["SearchRecordsTable", "SearchPostingsTable"]).await?;
        let client = self.clients.dynamodb("lambdas/search/src/adapters/rows.rs");
        Ok(DynamoDbRows::new(client, records, postings))
    }

    pub(super) async fn search_index(&self) -> anyhow::Result<search_index::World> {
        let index = PostingsIndex::new(self.rows().await?, Arc::new(SystemClock));
        Ok(search_index::World { index: Arc::new(index) })
    }

    pub(super) async fn search_rows(&self) -> anyhow::Result<search_rows::World> {
        Ok(search_rows::World { rows: Arc::new(self.rows().await?) })
    }

    pub(super) async fn subscriptions(&self) -> anyhow::Result<subscriptions::World> {
        let [table] = self.tables.create(["WebhooksTable"]).await?;
        let client = self.clients.dynamodb("lambdas/partners/src/adapters/partners.rs");
        Ok(subscriptions::World { partners: Arc::new(DynamoDbPartners::new(client, table)) })
    }
}
