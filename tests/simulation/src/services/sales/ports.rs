//! The ports of the sales functions.

use async_trait::async_trait;
use domain::OrderId;
use platform::lock;
use platform::optimistic::Versioned;
use sales::adapters::memory::InMemoryLedger;
use sales::export::store::{CreateResult, ExportQueue, Exports};
use sales::export::{Export, ExportId};
use sales::ledger::sale::Sale;
use sales::ledger::store::{Ledger, LedgerTable, Page, Partition, Position, Row};
use sales::report::store::{LinkSecret, Mail, Mailer};
use secrecy::SecretString;
use serde_json::json;

use crate::mutation::Mutation;
use crate::ports::{Ports, now};

#[async_trait]
impl Ledger for Ports {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>> {
        self.read("ledger.get", move |world| now(Ledger::get(&world.parts.sales.ledger, order))).await
    }

    async fn write(&self, read: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool> {
        let (read, sale) = (read.cloned(), sale.clone());
        self.read("ledger.write", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(false);
            }
            let ledger = &world.parts.sales.ledger;
            if world.has_mutation(Mutation::UnconditionalSale) {
                let found = now(Ledger::get(ledger, sale.order_id))?;
                return now(Ledger::write(ledger, found.as_ref(), &sale));
            }
            now(Ledger::write(ledger, read.as_ref(), &sale))
        })
        .await
    }
}

#[async_trait]
impl<R: Row + 'static> LedgerTable<R> for Ports
where
    InMemoryLedger: LedgerTable<R>,
{
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<R>> {
        let (from, until) = (from.clone(), until.clone());
        self.read("ledger.read_page", move |world| {
            let ledger: &dyn LedgerTable<R> = &world.parts.sales.ledger;
            let page = now(ledger.read_page(partition, &from, &until))?;
            if let Some(next) = &page.next
                && world.has_mutation(Mutation::PageSkipsRow)
            {
                let rows = now(ledger.read_page(partition, next, &until))?.rows;
                return Ok(Page { next: rows.first().map(|row| row.position().after()), ..page });
            }
            Ok(page)
        })
        .await
    }
}

#[async_trait]
impl Exports for Ports {
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult> {
        let export = export.clone();
        self.read("exports.create", move |world| now(world.parts.sales.exports.create(&export))).await
    }

    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>> {
        self.read("exports.get", move |world| now(Exports::get(&world.parts.sales.exports, id))).await
    }

    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>> {
        let (read, export) = (read.clone(), export);
        self.read("exports.replace", move |world| {
            if world.sim.should_inject(|rates| rates.conflict) {
                return Ok(None);
            }
            now(world.parts.sales.exports.replace(&read, export.clone()))
        })
        .await
    }
}

#[async_trait]
impl ExportQueue for Ports {
    async fn send(&self, id: ExportId) -> anyhow::Result<()> {
        self.read("exports.send_message", move |world| {
            world.send_to("export-orders", &json!({ "export_id": id }).to_string());
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl LinkSecret for Ports {
    async fn get(&self) -> anyhow::Result<SecretString> {
        self.read("link_secret.read", |_| Ok(SecretString::from("known to the simulation"))).await
    }

    fn invalidate(&self) {}
}

#[async_trait]
impl Mailer for Ports {
    async fn send(&self, mail: &Mail) -> anyhow::Result<()> {
        let (mail, invocation) = (mail.clone(), self.caller.invocation);
        self.read("report_mailer.send", move |world| {
            super::rules::check_email(world, invocation, &mail);
            lock(&world.parts.sales.mails).push(mail.clone());
            Ok(())
        })
        .await
    }
}
