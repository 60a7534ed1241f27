//! Wrong ledgers and stores of exports, which violate the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{exports, ledger};
use domain::OrderId;
use platform::optimistic::Versioned;
use sales::adapters::memory::{InMemoryExports, InMemoryLedger};
use sales::export::store::{CreateResult, Exports};
use sales::export::{Export, ExportId};
use sales::ledger::booking::Booking;
use sales::ledger::sale::Sale;
use sales::ledger::store::{Ledger, LedgerTable, Page, Partition, Position};

use super::assert_violations;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Overwrites any version, and creates what is missing.
    IgnoresVersions,
    /// Overwrites what exists already, when it should be created.
    OverwritesOnCreation,
    /// Keeps the bookings of refused writes.
    BooksRefusals,
    /// Returns only the first page of sales.
    LosesPages,
    /// Includes the rows at the end of the range.
    IncludesTheEnd,
}

struct WrongLedger {
    fault: Fault,
    store: InMemoryLedger,
    /// The sales of refused writes.
    refused: InMemoryLedger,
}

#[async_trait]
impl Ledger for WrongLedger {
    async fn get(&self, order: OrderId) -> anyhow::Result<Option<Versioned<Sale>>> {
        self.store.get(order).await
    }

    async fn write(&self, read: Option<&Versioned<Sale>>, sale: &Sale) -> anyhow::Result<bool> {
        let stored = self.store.get(sale.order_id).await?;
        let read = match self.fault {
            Fault::IgnoresVersions if read.is_some() => stored.as_ref(),
            Fault::OverwritesOnCreation if read.is_none() => stored.as_ref(),
            _ => read,
        };
        let written = self.store.write(read, sale).await?;
        if !written && self.fault == Fault::BooksRefusals {
            let before = self.refused.get(sale.order_id).await?;
            self.refused.write(before.as_ref(), sale).await?;
        }
        Ok(written)
    }
}

#[async_trait]
impl LedgerTable<Sale> for WrongLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<Sale>> {
        let end = after_names(until);
        let until = if self.fault == Fault::IncludesTheEnd { &end } else { until };
        let page = LedgerTable::<Sale>::read_page(&self.store, partition, from, until).await?;
        Ok(if self.fault == Fault::LosesPages { Page { next: None, ..page } } else { page })
    }
}

/// The position after all rows at the time of a position: the names of rows follow the time.
fn after_names(position: &Position) -> Position {
    serde_json::from_value(format!("{position}~").into()).unwrap()
}

#[async_trait]
impl LedgerTable<Booking> for WrongLedger {
    async fn read_page(
        &self,
        partition: Partition,
        from: &Position,
        until: &Position,
    ) -> anyhow::Result<Page<Booking>> {
        let mut page = LedgerTable::<Booking>::read_page(&self.store, partition, from, until).await?;
        let refused = LedgerTable::<Booking>::read_page(&self.refused, partition, from, until).await?;
        page.rows.extend(refused.rows);
        Ok(page)
    }
}

#[tokio::test]
async fn wrong_ledgers_violate_the_expected_contracts() {
    let once = "a_new_sale_requires_a_missing_one";
    let each = "a_sale_changes_only_from_the_version_that_was_read";
    let atomic = "bookings_are_written_atomically_with_their_sale";
    let concurrent = "concurrent_writers_of_one_version_have_one_winner";
    for (fault, expected) in [
        (Fault::IgnoresVersions, &[once, each, atomic, concurrent][..]),
        (Fault::OverwritesOnCreation, &[once, concurrent]),
        (Fault::BooksRefusals, &[once, atomic, concurrent]),
        (Fault::LosesPages, &["every_row_of_a_partition_is_read_exactly_once"]),
        (Fault::IncludesTheEnd, &["rows_are_read_from_inclusive_to_exclusive"]),
    ] {
        let world = async || {
            let (store, refused) = (InMemoryLedger::default(), InMemoryLedger::default());
            let ledger = Arc::new(WrongLedger { fault, store, refused });
            Ok(ledger::World { ledger: ledger.clone(), sales: ledger.clone(), bookings: ledger })
        };
        assert_violations(ledger::violations(world).await, expected);
    }
}

struct WrongExports(Fault, InMemoryExports);

#[async_trait]
impl Exports for WrongExports {
    async fn create(&self, export: &Export) -> anyhow::Result<CreateResult> {
        match self.1.get(export.id).await? {
            Some(stored) if self.0 == Fault::OverwritesOnCreation => {
                self.1.replace(&stored, export.clone()).await?;
                Ok(CreateResult::Created)
            }
            _ => self.1.create(export).await,
        }
    }

    async fn get(&self, id: ExportId) -> anyhow::Result<Option<Versioned<Export>>> {
        self.1.get(id).await
    }

    async fn replace(
        &self,
        read: &Versioned<Export>,
        export: Export,
    ) -> anyhow::Result<Option<Versioned<Export>>> {
        let stored = self.1.get(export.id).await?;
        match stored {
            Some(stored) if self.0 == Fault::IgnoresVersions => self.1.replace(&stored, export).await,
            None if self.0 == Fault::IgnoresVersions => {
                self.1.create(&export).await?;
                self.1.get(export.id).await
            }
            _ => self.1.replace(read, export).await,
        }
    }
}

#[tokio::test]
async fn wrong_exports_violate_the_expected_contracts() {
    for (fault, expected) in [
        (
            Fault::IgnoresVersions,
            &[
                "a_missing_export_is_not_replaced",
                "an_export_is_replaced_only_at_the_version_that_was_read",
                "concurrent_replacements_of_one_version_have_one_winner",
            ][..],
        ),
        (Fault::OverwritesOnCreation, &["an_export_is_created_once", "concurrent_creations_have_one_winner"]),
    ] {
        let world = async || {
            Ok(exports::World { exports: Arc::new(WrongExports(fault, InMemoryExports::default())) })
        };
        assert_violations(exports::violations(world).await, expected);
    }
}
