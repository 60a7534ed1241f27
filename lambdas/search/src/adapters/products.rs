//! Product names from the API of the inventory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{ProductName, Sku};
use futures::stream::{StreamExt, iter};
use http::{Request, StatusCode};
use platform::clock::timeout;
use platform::http_client::HttpClient;
use platform::{Clock, lock};
use serde::Deserialize;

use crate::store::ProductNames;

/// The time limit for all lookups of one order together.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);
/// The time without lookups after the inventory failed to respond, so that the stream keeps up.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(15);
/// The time for which a name is cached.
const NAME_TTL: Duration = Duration::from_secs(600);
/// The time for which the absence of a product is cached.
const ABSENT_TTL: Duration = Duration::from_secs(60);
/// The maximum number of cached products, about 200 KB.
const MAX_CACHED: usize = 2000;
/// The number of concurrent lookups.
const CONCURRENCY: usize = 8;

/// Looks up names with `GET /products/{sku}`, and caches them.
pub struct HttpProductNames<C> {
    client: C,
    base_url: String,
    clock: Arc<dyn Clock>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    /// For each product its name, or `None` if it does not exist, and the expiry of the entry.
    names: BTreeMap<Sku, (Option<ProductName>, Duration)>,
    /// The end of the pause after a failure.
    paused_until: Duration,
}

#[derive(Deserialize)]
struct Product {
    name: ProductName,
}

impl<C: HttpClient> HttpProductNames<C> {
    /// Creates the adapter for the API at `base_url`, such as
    /// `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(client: C, base_url: &str, clock: Arc<dyn Clock>) -> Self {
        Self { client, base_url: base_url.trim_end_matches('/').to_owned(), clock, cache: Mutex::default() }
    }

    async fn fetch_name(&self, sku: &Sku) -> anyhow::Result<Option<ProductName>> {
        let request = Request::get(format!("{}/products/{sku}", self.base_url)).body(Bytes::new())?;
        let response = self.client.send(request).await?;
        match response.status() {
            StatusCode::OK => {
                let product: Product =
                    serde_json::from_slice(response.body()).context("the product is invalid")?;
                Ok(Some(product.name))
            }
            // A gateway during its deployment also responds with 404, with a different body.
            StatusCode::NOT_FOUND => Ok(None),
            status => anyhow::bail!("the inventory responded with {status}"),
        }
    }

    /// Returns the cached names of the products, and the products to look up: none during a pause.
    fn split_cached(&self, skus: &[Sku]) -> (BTreeMap<Sku, ProductName>, Vec<Sku>) {
        let now = self.clock.elapsed();
        let cache = lock(&self.cache);
        let mut known = BTreeMap::new();
        let mut unknown = Vec::new();
        for sku in skus {
            match cache.names.get(sku).filter(|(_, until)| *until > now) {
                Some((name, _)) => known.extend(name.clone().map(|name| (sku.clone(), name))),
                None => unknown.push(sku.clone()),
            }
        }
        if cache.paused_until > now {
            unknown.clear();
        }
        (known, unknown)
    }

    fn cache_name(&self, sku: &Sku, name: Option<&ProductName>) {
        let now = self.clock.elapsed();
        let mut cache = lock(&self.cache);
        if cache.names.len() >= MAX_CACHED {
            cache.names.retain(|_, (_, until)| *until > now);
            // If the cache is still full, it is emptied: that is simple, and the additional lookups are
            // cheap.
            if cache.names.len() >= MAX_CACHED {
                cache.names.clear();
            }
        }
        let until = now.saturating_add(if name.is_some() { NAME_TTL } else { ABSENT_TTL });
        cache.names.insert(sku.clone(), (name.cloned(), until));
    }

    fn pause_lookups(&self, why: &str) {
        tracing::warn!(
            why,
            silence_s = PAUSE_AFTER_FAILURE.as_secs(),
            "orders are indexed without product names"
        );
        lock(&self.cache).paused_until = self.clock.elapsed().saturating_add(PAUSE_AFTER_FAILURE);
    }
}

#[async_trait]
impl<C: HttpClient> ProductNames for HttpProductNames<C> {
    async fn names(&self, skus: &[Sku]) -> BTreeMap<Sku, ProductName> {
        let (mut known, unknown) = self.split_cached(skus);
        let mut results = iter(unknown)
            .map(|sku| async move { (self.fetch_name(&sku).await, sku) })
            .buffer_unordered(CONCURRENCY);
        let lookups = timeout(self.clock.as_ref(), LOOKUP_TIMEOUT, async {
            while let Some((result, sku)) = results.next().await {
                match result {
                    Ok(name) => {
                        self.cache_name(&sku, name.as_ref());
                        known.extend(name.map(|name| (sku, name)));
                    }
                    Err(error) => return self.pause_lookups(&format!("{error:#}")),
                }
            }
        });
        if lookups.await.is_none() {
            self.pause_lookups("the inventory did not respond in time");
        }
        known
    }
}
