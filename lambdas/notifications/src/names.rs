//! The names of the products of an order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use domain::{OrderDetails, ProductName, Sku};
use futures::stream::{StreamExt, iter};
use platform::Clock;
use platform::clock::timeout;
use platform::retry::{Retries, RetryPolicy};
use product_catalogue::Catalogue;

/// The time limit for all lookups of one email together. An email is not delayed for longer: it shows the
/// SKUs of the products whose names are then unknown.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// The retries of one lookup, within that limit. An email is sent once, so a name that is missing stays so.
const RETRY: RetryPolicy = RetryPolicy { base_delay: Duration::from_millis(200), max_attempts: 3 };
/// The number of concurrent lookups for one email.
const CONCURRENCY: usize = 10;

/// Looks up the names of products in the catalogue.
pub struct ProductNames {
    catalogue: Arc<dyn Catalogue>,
    clock: Arc<dyn Clock>,
}

impl ProductNames {
    /// Uses the names in `catalogue`.
    pub fn new(catalogue: Arc<dyn Catalogue>, clock: Arc<dyn Clock>) -> Self {
        Self { catalogue, clock }
    }

    /// Returns the names of the ordered products, as far as they are available within two seconds. A name is
    /// missing if the product does not exist any more or the catalogue does not respond.
    pub async fn of_order(&self, order: &OrderDetails, correlation_id: &str) -> BTreeMap<Sku, ProductName> {
        let skus: Vec<Sku> = order.lines.iter().map(|line| line.sku.clone()).collect();
        let mut names = BTreeMap::new();
        let mut lookups = iter(skus)
            .map(|sku| async move { (self.name(&sku, correlation_id).await, sku) })
            .buffer_unordered(CONCURRENCY);
        let all = timeout(self.clock.as_ref(), LOOKUP_TIMEOUT, async {
            while let Some((name, sku)) = lookups.next().await {
                names.extend(name.map(|name| (sku, name)));
            }
        });
        if all.await.is_none() {
            tracing::warn!("the email shows SKUs: the catalogue did not respond in time");
        }
        names
    }

    async fn name(&self, sku: &Sku, correlation_id: &str) -> Option<ProductName> {
        let mut retries = Retries::new(RETRY, self.clock.as_ref());
        loop {
            match self.catalogue.product(sku, correlation_id).await {
                Ok(product) => return product.map(|product| product.name),
                Err(error) if !retries.wait().await => {
                    tracing::warn!(%sku, error = %format!("{error:#}"), "the email shows a SKU");
                    return None;
                }
                Err(_) => {}
            }
        }
    }
}
