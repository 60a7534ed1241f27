//! What a row does to the stock, once.
//!
//! The first good row of a SKU leaves a mark in the same transaction as its effect; also where it had none, so that it
//! is decided the same whenever it is met again. The mark's key is the SKU and the file's content.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use domain::{DeliveryId, Sku};
use platform::Clock;
use serde::{Deserialize, Serialize};

use super::row::{Fault, Row, Tax};
use crate::product::{MOST_PIECES, Offer, Product};

/// How many rows are written in one transaction: each is two of the hundred writes that DynamoDB takes, and the more
/// there are, the more likely is an order for one of them to come between
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html>).
pub const BATCH: usize = 25;
/// How often a row is decided again when others were faster with its product.
const TRIES: u32 = 8;

/// What a row of a file left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// How many pieces it brought.
    pub quantity: u32,
    /// On which line it is. 0 of a delivery that no file brought.
    #[serde(default)]
    pub line: u64,
    /// Under which name the file was dropped that it was met in first.
    #[serde(default)]
    pub file: String,
    /// Why it did nothing, if it did nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Fault>,
}

/// A product, and the mark that a file left on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The product, if there is one.
    pub product: Option<Product>,
    /// The mark, if there is one.
    pub mark: Option<Mark>,
}

/// A mark to be set, and what else is to become so with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Of which product.
    pub sku: Sku,
    /// Set only where there is none.
    pub mark: Mark,
    /// What becomes of the product. Nothing where the mark says that the row was refused.
    pub product: Option<ProductChange>,
}

/// What becomes of a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductChange {
    /// The revision that it has to have still; `None` where there must be no product.
    pub read: Option<u64>,
    /// What staff decide of it, where that changes.
    pub offer: Option<Offer>,
    /// How many pieces more are available.
    pub quantity: u32,
}

impl ProductChange {
    /// The product after it. `None` where it would have more pieces than can be counted, or is new without an offer.
    pub fn applied(&self, sku: &Sku, now: Option<&Product>) -> Option<Product> {
        let available = now.map_or(0, |product| product.available).checked_add(self.quantity)?;
        if available > MOST_PIECES {
            return None;
        }
        let Some(offer) = &self.offer else { return Some(Product { available, ..now?.clone() }) };
        Some(Product {
            sku: sku.clone(),
            name: offer.name.clone(),
            price: offer.price,
            tax_rate: offer.tax_rate,
            revision: now.map_or(0, |product| product.revision).saturating_add(1),
            available,
            held: now.map_or(0, |product| product.held),
            sold: now.map_or(0, |product| product.sold),
        })
    }
}

/// The stock, as imports see it.
#[async_trait]
pub trait Stock: Send + Sync {
    /// The products of these SKUs, each named once and at most [`BATCH`], and their marks of this file.
    async fn look(&self, file: &DeliveryId, skus: &[Sku]) -> anyhow::Result<BTreeMap<Sku, Seen>>;

    /// Makes all the changes, of different products, or none. False, and nothing written, where a product is no longer
    /// as it was read, would have more pieces than can be counted, or has a mark.
    async fn change(&self, file: &DeliveryId, changes: &[Change]) -> anyhow::Result<bool>;
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is counted, now or before.
    Applied,
    /// The same content was dropped under another name before, and the row is counted there.
    Repeated,
    /// It did nothing: the file has a row of this SKU before it.
    Duplicate {
        /// On which line.
        first: u64,
    },
    /// It did nothing, for this reason.
    Refused(Fault),
}

/// What is to be done for a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing.
    Is(Outcome),
    /// This, and then it is so.
    Becomes(Change, Outcome),
}

/// Decides what a row does.
pub fn decide(row: &Row, line: u64, file: &str, seen: &Seen) -> Decision {
    if let Some(mark) = &seen.mark {
        return Decision::Is(match &mark.refused {
            _ if mark.line != line => Outcome::Duplicate { first: mark.line },
            Some(fault) => Outcome::Refused(fault.clone()),
            None if mark.file == file => Outcome::Applied,
            None => Outcome::Repeated,
        });
    }
    let available = seen.product.as_ref().map_or(0, |product| product.available);
    let mark = |quantity, refused| Mark { quantity, line, file: file.to_owned(), refused };
    if available > MOST_PIECES.saturating_sub(row.quantity) {
        let fault = Fault::new("quantity", "there would be more pieces than can be counted");
        let change = Change { sku: row.sku.clone(), mark: mark(0, Some(fault.clone())), product: None };
        return Decision::Becomes(change, Outcome::Refused(fault));
    }
    let tax_now = seen.product.as_ref().and_then(|product| product.tax_rate);
    let tax_rate = match row.tax {
        Tax::AsItIs => tax_now,
        Tax::Rate(rate) => rate,
    };
    let offer = Offer { name: row.name.clone(), price: row.price, tax_rate };
    let as_it_is = seen.product.as_ref().is_some_and(|product| {
        product.name == offer.name && product.price == offer.price && product.tax_rate == tax_rate
    });
    let product = ProductChange {
        read: seen.product.as_ref().map(|product| product.revision),
        offer: (!as_it_is).then_some(offer),
        quantity: row.quantity,
    };
    let change = Change { sku: row.sku.clone(), mark: mark(row.quantity, None), product: Some(product) };
    Decision::Becomes(change, Outcome::Applied)
}

/// Why a SKU's second row does nothing.
pub fn duplicate(line: u64) -> Fault {
    Fault::new("sku", format!("is on line {line} already, and each has one row: which of them is right?"))
}

/// Applies the rows of a file.
pub struct Applier<'a> {
    /// Where to.
    pub stock: &'a dyn Stock,
    /// Time and chance.
    pub clock: &'a dyn Clock,
    /// What names the file's content.
    pub delivery: &'a DeliveryId,
    /// The file's name.
    pub file: &'a str,
}

impl Applier<'_> {
    /// Applies rows of different SKUs, at most [`BATCH`]; gives back what became of each.
    ///
    /// # Errors
    /// When the stock does not answer, or others are faster again and again. Some of the rows may be applied.
    pub async fn apply(&self, rows: &[(u64, Row)]) -> anyhow::Result<Vec<Outcome>> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(outcomes) = self.attempt(rows).await? {
            return Ok(outcomes);
        }
        // Somebody else was faster with one of them: each by itself, so that it keeps none of the others waiting.
        let mut outcomes = Vec::with_capacity(rows.len());
        for row in rows {
            outcomes.push(self.apply_one(row).await?);
        }
        Ok(outcomes)
    }

    async fn apply_one(&self, row: &(u64, Row)) -> anyhow::Result<Outcome> {
        for attempt in 1..=TRIES {
            if let Some(outcome) =
                self.attempt(std::slice::from_ref(row)).await?.and_then(|mut one| one.pop())
            {
                return Ok(outcome);
            }
            let most = Duration::from_millis(10).saturating_mul(1 << attempt.min(6));
            self.clock.sleep(most.mul_f64(self.clock.random())).await;
        }
        anyhow::bail!("others were faster with the row on line {} {TRIES} times", row.0)
    }

    /// Reads, decides and writes once. `None` where somebody else was faster.
    async fn attempt(&self, rows: &[(u64, Row)]) -> anyhow::Result<Option<Vec<Outcome>>> {
        let skus: Vec<Sku> = rows.iter().map(|(_, row)| row.sku.clone()).collect();
        let mut seen = self.stock.look(self.delivery, &skus).await?;
        let (mut changes, mut outcomes) = (Vec::new(), Vec::with_capacity(rows.len()));
        for (line, row) in rows {
            let seen = seen.remove(&row.sku).unwrap_or_default();
            outcomes.push(match decide(row, *line, self.file, &seen) {
                Decision::Is(outcome) => outcome,
                Decision::Becomes(change, outcome) => {
                    changes.push(change);
                    outcome
                }
            });
        }
        let written = changes.is_empty() || self.stock.change(self.delivery, &changes).await?;
        Ok(written.then_some(outcomes))
    }
}
