//! The inventory's API, as far as the search needs it: what a product is called.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::{ProductName, Sku};
use futures::stream::{StreamExt, iter};
use http::{Request, StatusCode};
use platform::Clock;
use platform::clock::timeout;
use platform::http::client::HttpClient;
use platform::memory::lock;
use serde::Deserialize;

use crate::store::ProductNames;

/// How long all questions about one order may take together.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long nobody is asked after the inventory did not answer: the stream goes on meanwhile.
const SILENCE: Duration = Duration::from_secs(15);
/// How long a name is taken for good.
const GOOD_FOR: Duration = Duration::from_secs(600);
/// How long a product that is not there is taken not to be there.
const ABSENT_FOR: Duration = Duration::from_secs(60);
/// How many products are remembered: some 200 KB.
const MOST_REMEMBERED: usize = 2000;
/// How many products are asked for at the same time.
const AT_ONCE: usize = 8;

/// `GET /products/{sku}`, remembered for a while.
pub struct HttpProductNames<C> {
    client: C,
    base: String,
    clock: Arc<dyn Clock>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The name, if there is one, and until when that is taken for true.
    names: BTreeMap<Sku, (Option<ProductName>, Duration)>,
    silent_until: Duration,
}

#[derive(Deserialize)]
struct Product {
    name: ProductName,
}

impl<C: HttpClient> HttpProductNames<C> {
    /// The API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(client: C, base: &str, clock: Arc<dyn Clock>) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned(), clock, memory: Mutex::default() }
    }

    async fn ask(&self, sku: &Sku) -> anyhow::Result<Option<ProductName>> {
        let request = Request::get(format!("{}/products/{sku}", self.base)).body(Bytes::new())?;
        let answer = self.client.send(request).await?;
        match answer.status() {
            StatusCode::OK => {
                let product: Product =
                    serde_json::from_slice(answer.body()).context("the product is not understood")?;
                Ok(Some(product.name))
            }
            // A gateway that is being deployed answers 404 too, in another form.
            StatusCode::NOT_FOUND => Ok(None),
            status => anyhow::bail!("the inventory answered {status}"),
        }
    }

    /// What is known of these products, and which are not.
    fn remembered(&self, skus: &[Sku]) -> (BTreeMap<Sku, ProductName>, Vec<Sku>) {
        let now = self.clock.elapsed();
        let memory = lock(&self.memory);
        let mut known = BTreeMap::new();
        let mut unknown = Vec::new();
        for sku in skus {
            match memory.names.get(sku).filter(|(_, until)| *until > now) {
                Some((name, _)) => known.extend(name.clone().map(|name| (sku.clone(), name))),
                None => unknown.push(sku.clone()),
            }
        }
        if memory.silent_until > now {
            unknown.clear();
        }
        (known, unknown)
    }

    fn remember(&self, sku: &Sku, name: Option<&ProductName>) {
        let now = self.clock.elapsed();
        let mut memory = lock(&self.memory);
        if memory.names.len() >= MOST_REMEMBERED {
            memory.names.retain(|_, (_, until)| *until > now);
            // Still full: forgetting all is simple, and a question or two more is cheap.
            if memory.names.len() >= MOST_REMEMBERED {
                memory.names.clear();
            }
        }
        let until = now.saturating_add(if name.is_some() { GOOD_FOR } else { ABSENT_FOR });
        memory.names.insert(sku.clone(), (name.cloned(), until));
    }

    fn be_silent(&self, why: &str) {
        tracing::warn!(
            why,
            silence_s = SILENCE.as_secs(),
            "orders are indexed without the names of products"
        );
        lock(&self.memory).silent_until = self.clock.elapsed().saturating_add(SILENCE);
    }
}

#[async_trait]
impl<C: HttpClient> ProductNames for HttpProductNames<C> {
    async fn names(&self, skus: &[Sku]) -> BTreeMap<Sku, ProductName> {
        let (mut known, unknown) = self.remembered(skus);
        let mut answers =
            iter(unknown).map(|sku| async move { (self.ask(&sku).await, sku) }).buffer_unordered(AT_ONCE);
        let asked = timeout(self.clock.as_ref(), PATIENCE, async {
            while let Some((answer, sku)) = answers.next().await {
                match answer {
                    Ok(name) => {
                        self.remember(&sku, name.as_ref());
                        known.extend(name.map(|name| (sku, name)));
                    }
                    Err(error) => return self.be_silent(&format!("{error:#}")),
                }
            }
        });
        if asked.await.is_none() {
            self.be_silent("the inventory took too long");
        }
        known
    }
}
