//! Wrong stores of imports and of their rows, which violate the contracts.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use contracts::{import_stock, imports};
use domain::{DeliveryId, Sku};
use inventory::adapters::memory::{InMemoryImports, InMemoryInventory};
use inventory::import::progress::Import;
use inventory::import::store::{Change, CurrentState, Imports, Stock};

use super::assert_violations;
use crate::memory::Earlier;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Overwrites any version, and creates what is missing.
    IgnoresVersions,
    /// Overwrites what exists already, when it should be created.
    OverwritesOnCreation,
    /// Applies a row again.
    IgnoresMarkers,
    /// Applies a row at any revision of the product.
    IgnoresRevisions,
    /// Applies the rows that can be applied, and omits the others.
    LeavesRowsOut,
}

struct WrongImports(Fault, InMemoryImports);

#[async_trait]
impl Imports for WrongImports {
    async fn get(&self, id: &str) -> anyhow::Result<Option<Import>> {
        self.1.get(id).await
    }

    async fn write(&self, import: &Import, read: Option<u64>) -> anyhow::Result<bool> {
        let stored = self.1.get(&import.id).await?.map(|stored| stored.version);
        let read = match self.0 {
            Fault::IgnoresVersions if read.is_some() => stored,
            Fault::OverwritesOnCreation if read.is_none() => stored,
            _ => read,
        };
        self.1.write(import, read).await
    }
}

#[tokio::test]
async fn wrong_imports_violate_the_expected_contracts() {
    let once = "the_first_write_requires_a_missing_record";
    let each = "each_write_requires_the_version_that_was_read";
    let concurrent = "concurrent_writers_of_one_version_have_one_winner";
    for (fault, expected) in [
        (Fault::IgnoresVersions, &[once, each, concurrent][..]),
        (Fault::OverwritesOnCreation, &[once, concurrent]),
    ] {
        let world = async || {
            Ok(imports::World { imports: Arc::new(WrongImports(fault, InMemoryImports::default())) })
        };
        assert_violations(imports::violations(world).await, expected);
    }
}

struct WrongStock(Fault, Arc<InMemoryInventory>);

#[async_trait]
impl Stock for WrongStock {
    async fn read(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, CurrentState>> {
        Stock::read(&*self.1, file, skus).await
    }

    async fn write(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool> {
        let mut changes = changes.to_vec();
        for change in &mut changes {
            let states = Stock::read(&*self.1, file, std::slice::from_ref(&change.sku)).await?;
            let stored = states.into_values().next().and_then(|state| state.product);
            if let (Fault::IgnoresRevisions, Some(product)) = (self.0, &mut change.product) {
                product.expected_revision = stored.map(|stored| stored.revision);
            }
        }
        match self.0 {
            // The same row of another file.
            Fault::IgnoresMarkers if !Stock::write(&*self.1, file, &changes).await? => {
                let again = format!("{file}.again").parse()?;
                Stock::write(&*self.1, &again, &changes).await
            }
            Fault::IgnoresMarkers => Ok(true),
            Fault::LeavesRowsOut if changes.len() > 1 => {
                for change in &changes {
                    Stock::write(&*self.1, file, std::slice::from_ref(change)).await?;
                }
                Ok(true)
            }
            _ => Stock::write(&*self.1, file, &changes).await,
        }
    }
}

#[tokio::test]
async fn wrong_rows_violate_the_expected_contracts() {
    for (fault, expected) in [
        (
            Fault::IgnoresMarkers,
            &[
                "a_delivery_of_the_same_name_counts_as_a_marker",
                "a_rejected_row_leaves_only_a_marker",
                "a_row_is_applied_once",
                "concurrent_runs_apply_a_row_once",
            ][..],
        ),
        (
            Fault::IgnoresRevisions,
            &[
                "a_new_product_requires_a_missing_one",
                "a_product_changes_only_at_the_revision_that_was_read",
                "a_product_without_a_revision_changes_only_while_it_has_none",
                "rows_are_written_atomically",
            ],
        ),
        (Fault::LeavesRowsOut, &["rows_are_written_atomically"]),
    ] {
        let world = async || {
            let store = Arc::new(InMemoryInventory::default());
            let (stock, earlier) =
                (Arc::new(WrongStock(fault, store.clone())), Arc::new(Earlier(store.clone())));
            Ok(import_stock::World { stock, products: store, earlier })
        };
        assert_violations(import_stock::violations(world).await, expected);
    }
}
