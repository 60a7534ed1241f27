//! The document that the index stores for an order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::order::{Order, OrderStatus};
use domain::{CustomerId, EmailAddress, Money, OrderId, PersonName, ProductName, Sku};
use jiff::Timestamp;
use platform::http::CustomerScope;
use serde::{Deserialize, Serialize};

use crate::segment::name_words;
use crate::term::{Field, Term, is_prefix};
use crate::{amount, text};

/// The searchable and displayed data of an order.
#[expect(missing_docs, reason = "the fields say it")]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub order_id: OrderId,
    /// The version of the row in the orders table, which every write increments.
    pub version: u64,
    pub status: OrderStatus,
    pub placed_at: Timestamp,
    pub total: Money,
    pub customer_id: CustomerId,
    pub customer_name: PersonName,
    pub email: EmailAddress,
    /// The ordered products with their names; `None` while the name is unknown.
    pub products: BTreeMap<Sku, Option<ProductName>>,
}

impl Document {
    /// Creates the document of an order. `names` has the names of its products as far as they are known.
    pub fn from_order(order: &Order, version: u64, names: &BTreeMap<Sku, ProductName>) -> Self {
        let details = &order.details;
        let product = |line: &domain::Line| (line.sku.clone(), names.get(&line.sku).cloned());
        Self {
            order_id: order.id,
            version,
            status: order.status(),
            placed_at: details.placed_at,
            total: details.total,
            customer_id: details.customer.id.clone(),
            customer_name: details.customer.name.clone(),
            email: details.customer.email.clone(),
            products: details.lines.iter().map(product).collect(),
        }
    }

    /// Merges this document with the one in the index: the newer version of the order, and for each product
    /// the name from the newer document or else from the older one. The merge is a join, so the index
    /// converges whatever the order of the documents and however often each arrives, and a known name is not
    /// lost when the inventory is unavailable.
    #[must_use]
    pub fn merged_with(self, known: &Self) -> Self {
        let (mut newer, older) =
            if self.version >= known.version { (self, known.clone()) } else { (known.clone(), self) };
        for (sku, name) in &mut newer.products {
            if name.is_none() {
                *name = older.products.get(sku).cloned().flatten();
            }
        }
        newer
    }

    /// Returns all audiences that may see the order.
    pub fn audiences(&self) -> BTreeSet<Audience> {
        let id = &self.customer_id;
        // The ids of a partner's customers are `<client id>.<external id>`, and Cognito client ids contain no
        // dot.
        let partner = id.as_str().split_once('.').and_then(|(partner, _)| partner.parse().ok());
        [Audience::All, Audience::Customer(id.clone())]
            .into_iter()
            .chain(partner.map(Audience::Partner))
            .collect()
    }

    /// Returns all terms that the order is found by.
    pub fn terms(&self) -> BTreeSet<Term> {
        let mut terms = BTreeSet::new();
        let mut add = |field: Field, word: &str| {
            terms.insert(Term { field, word: word.to_owned() });
        };
        let whole = |text: &str| text::words(text).into_iter();
        for word in whole(&self.order_id.to_string()) {
            add(Field::OrderId, &word);
        }
        let (local, host) = self.email.as_str().split_once('@').unwrap_or((self.email.as_str(), ""));
        for word in [self.email.as_str(), local, host].into_iter().flat_map(whole) {
            add(Field::Email, &word);
        }
        for word in whole(local) {
            text::parts(&word).for_each(|part| add(Field::Email, part));
        }
        // Without the top-level domain, which is shared by most addresses.
        let names = host.rsplit_once('.').map_or("", |(names, _)| names);
        for word in whole(names) {
            later_parts(&word).for_each(|part| add(Field::Email, part));
        }
        let id = self.customer_id.as_str();
        let external_id = id.split_once('.').map_or("", |(_, external)| external);
        for word in [id, external_id].into_iter().flat_map(whole) {
            add(Field::CustomerId, &word);
        }
        amount::total_words(self.total).for_each(|word| add(Field::Total, &word));
        name_words(self.customer_name.as_str()).iter().for_each(|word| add(Field::CustomerName, word));
        for (sku, name) in &self.products {
            for word in whole(sku.as_str()) {
                later_parts(&word).for_each(|part| add(Field::Sku, part));
                add(Field::Sku, &word);
            }
            if let Some(name) = name {
                name_words(name.as_str()).iter().for_each(|word| add(Field::ProductName, word));
            }
        }
        terms
    }
}

/// Returns the parts of a word that it is not found by anyway, as its start. Each entry costs a write.
fn later_parts(word: &str) -> impl Iterator<Item = &str> {
    text::parts(word).filter(move |part| !is_prefix(part) || !word.starts_with(part))
}

/// A group of callers that see the same orders. Searches are restricted to one audience.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// All orders, for staff and the shop's own machine clients.
    #[serde(rename = "everybody")]
    All,
    /// The orders of one customer.
    Customer(CustomerId),
    /// The orders of a partner's customers, by the partner's client id.
    Partner(CustomerId),
}

impl Audience {
    /// Returns the audience of a caller with this scope, narrowed to `customer` if the caller names one.
    pub fn from_scope(scope: &CustomerScope, customer: Option<CustomerId>) -> Self {
        match (scope, customer) {
            (_, Some(customer)) => Self::Customer(customer),
            (CustomerScope::Own(customer), None) => Self::Customer(customer.clone()),
            (CustomerScope::All { .. }, None) => Self::All,
            (CustomerScope::Partner(partner), None) => Self::Partner(partner.clone()),
        }
    }
}

/// The prefix of keys.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Customer(id) => write!(f, "customer#{id}"),
            Self::Partner(id) => write!(f, "partner#{id}"),
        }
    }
}
