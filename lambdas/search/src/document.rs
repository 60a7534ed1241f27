//! What the index keeps of an order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use domain::order::{Order, OrderStatus};
use domain::{CustomerId, EmailAddress, Money, OrderId, PersonName, ProductName, Sku};
use jiff::Timestamp;
use platform::http::CustomerScope;
use serde::{Deserialize, Serialize};

use crate::term::{Field, Term};
use crate::text;

/// An order, as far as it is found and shown by the search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Which order.
    pub order_id: OrderId,
    /// How often the orders table's row was written: a higher one is newer.
    pub version: u64,
    /// Where it stands.
    pub status: OrderStatus,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// What it costs.
    pub total: Money,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// What they are called.
    pub customer_name: PersonName,
    /// Where they read their mail.
    pub email: EmailAddress,
    /// What was ordered, and what it is called, where the inventory told.
    pub products: BTreeMap<Sku, Option<ProductName>>,
}

impl Document {
    /// An order with the names of its products, as far as they are known.
    pub fn of(order: &Order, version: u64, names: &BTreeMap<Sku, ProductName>) -> Self {
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

    /// This one brought together with what the index has: the newer version of the order, and of each product the name
    /// that the newer one knows, or else the other's. So whichever comes first, last, twice or late, the index ends the
    /// same, and a name that was found out once is not lost because the inventory is silent.
    #[must_use]
    pub fn joined(self, known: &Self) -> Self {
        let (mut newer, older) =
            if self.version >= known.version { (self, known.clone()) } else { (known.clone(), self) };
        for (sku, name) in &mut newer.products {
            if name.is_none() {
                *name = older.products.get(sku).cloned().flatten();
            }
        }
        newer
    }

    /// Everybody who may find it.
    pub fn audiences(&self) -> BTreeSet<Audience> {
        let id = &self.customer_id;
        // A partner's customers are `<client id>.<their own id>`, and a client id of Cognito's has no dot in it.
        let partner = id.as_str().split_once('.').and_then(|(partner, _)| partner.parse().ok());
        [Audience::Everybody, Audience::Customer(id.clone())]
            .into_iter()
            .chain(partner.map(Audience::Partner))
            .collect()
    }

    /// All that it is found by.
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
        // Not what all share: nobody looks for "com".
        let names = host.rsplit_once('.').map_or("", |(names, _)| names);
        for word in whole(names) {
            text::parts(&word).for_each(|part| add(Field::Email, part));
        }
        let id = self.customer_id.as_str();
        let own = id.split_once('.').map_or("", |(_, own)| own);
        for word in [id, own].into_iter().flat_map(whole) {
            add(Field::CustomerId, &word);
        }
        // "12.50 EUR" is found by the number.
        let total = self.total.to_string();
        if let Some(word) = total.split(' ').next().and_then(|number| whole(number).next()) {
            add(Field::Total, &word);
        }
        let mut text = |field: Field, text: &str| {
            for word in text::words(text) {
                text::parts(&word).for_each(|part| add(field, part));
                add(field, &word);
            }
        };
        text(Field::CustomerName, self.customer_name.as_str());
        for (sku, name) in &self.products {
            text(Field::Sku, sku.as_str());
            if let Some(name) = name {
                text(Field::ProductName, name.as_str());
            }
        }
        terms
    }
}

/// Who looks: each finds only what is theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Staff, and the shop's own machines: all orders.
    Everybody,
    /// A customer, or somebody who looks for one's orders.
    Customer(CustomerId),
    /// A partner, by its client id: the orders of its customers.
    Partner(CustomerId),
}

impl Audience {
    /// The orders within a caller's reach; of those, the ones of `customer` where the caller names one.
    pub fn of(scope: &CustomerScope, customer: Option<CustomerId>) -> Self {
        match (scope, customer) {
            (_, Some(customer)) => Self::Customer(customer),
            (CustomerScope::Own(customer), None) => Self::Customer(customer.clone()),
            (CustomerScope::All { .. }, None) => Self::Everybody,
            (CustomerScope::Partner(partner), None) => Self::Partner(partner.clone()),
        }
    }
}

/// As keys start.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("all"),
            Self::Customer(id) => write!(f, "customer#{id}"),
            Self::Partner(id) => write!(f, "partner#{id}"),
        }
    }
}
