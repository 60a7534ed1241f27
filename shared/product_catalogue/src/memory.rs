//! A product catalogue in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use domain::{Sku, TaxRate};
use platform::lock;
use platform::memory::InjectedFaults;

use crate::{Catalogue, ProductInfo};

/// Products by SKU.
#[derive(Debug, Default)]
pub struct InMemoryCatalogue {
    products: Mutex<BTreeMap<Sku, ProductInfo>>,
    /// Requests that fail.
    pub failures: InjectedFaults,
    /// Whether no request is ever answered.
    pub hangs: AtomicBool,
}

impl InMemoryCatalogue {
    /// Adds a product, or replaces it. The tax rate is in basis points.
    ///
    /// # Errors
    /// When a value is invalid.
    pub fn put(&self, sku: &str, name: &str, tax_rate: Option<i64>) -> anyhow::Result<()> {
        let tax_rate = tax_rate.map(TaxRate::try_from).transpose()?;
        lock(&self.products).insert(sku.parse()?, ProductInfo { name: name.parse()?, tax_rate });
        Ok(())
    }
}

#[async_trait]
impl Catalogue for InMemoryCatalogue {
    async fn product(&self, sku: &Sku, _: &str) -> anyhow::Result<Option<ProductInfo>> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.failures.check("reading a product")?;
        Ok(lock(&self.products).get(sku).cloned())
    }
}
