//! What customers see through the front door when all is over, and whether it is what they were told.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;

use super::clients::{Experience, Shopfront};
use super::plan::{PlannedOrder, Sending};
use crate::api::Shop;
use crate::http::Http;
use crate::stand_in::Control;

/// The front door.
pub(crate) struct Door<'a> {
    pub(crate) front: &'a Shopfront<'a>,
    http: Http,
}

/// An order as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The number in the plan of who placed it.
    pub(crate) number: usize,
    pub(crate) id: String,
    pub(crate) status: String,
    /// Product and quantity.
    lines: BTreeMap<String, u64>,
}

impl Seen {
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "rejected" | "payment_failed" | "cancelled" | "expired")
    }

    pub(crate) fn shown(&self) -> String {
        format!("{} is {}", self.id, self.status)
    }
}

impl<'a> Door<'a> {
    pub(crate) fn of(front: &'a Shopfront<'a>) -> Self {
        Self { front, http: Http::new() }
    }

    /// Reads all orders of all customers.
    pub(crate) fn look(&self) -> anyhow::Result<Vec<Seen>> {
        let mut all = Vec::new();
        for order in &self.front.plan.orders {
            let shop = &self.front.shop;
            let url = format!("{}/orders?customer_id={}", shop.url(), self.front.customer(order.number));
            let answer =
                self.http.get_with(&url, &[shop.authorization()])?.success("listing a customer's orders")?;
            let orders =
                answer.get("orders").and_then(Value::as_array).context("the list has no `orders`")?;
            for body in orders {
                all.push(read(order.number, body).with_context(|| format!("an order in the list: {body}"))?);
            }
        }
        Ok(all)
    }

    /// Whether each customer has the order that they were told of, and only that. Returns what is wrong.
    pub(crate) fn check(&self, told: &[Experience], seen: &[Seen]) -> Vec<String> {
        let mut wrong = Vec::new();
        for told in told {
            wrong.extend(told.refusals.iter().map(|why| format!("customer {}: {why}", told.number)));
            let orders: Vec<&Seen> = seen.iter().filter(|seen| seen.number == told.number).collect();
            let ids: Vec<&str> = orders.iter().map(|order| order.id.as_str()).collect();
            let planned = self.front.plan.orders.iter().find(|order| order.number == told.number);
            let abandoned = planned.is_some_and(|order| matches!(order.sending, Sending::Abandoned(_)));
            if ids.len() > 1 || (ids.is_empty() && !(abandoned && told.ids.is_empty())) {
                wrong.push(format!("customer {}: one key, and {} orders: {ids:?}", told.number, ids.len()));
            }
            for id in told.ids.iter().filter(|id| !ids.contains(&id.as_str())) {
                wrong.push(format!(
                    "customer {}: answered 201 for order {id}, which is not theirs",
                    told.number
                ));
            }
            for order in orders {
                if planned.is_some_and(|planned| self.wanted(planned) != order.lines) {
                    wrong.push(format!("order {}: other lines than those asked for", order.id));
                }
            }
        }
        wrong
    }

    /// Whether money and stock are what the orders say. Returns what is wrong.
    pub(crate) fn check_books(
        &self,
        shop: &Shop,
        provider: &Control,
        seen: &[Seen],
    ) -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        for order in seen {
            let (captures, paid) = (provider.captures(&order.id)?, order.status == "paid");
            if captures != usize::from(paid) {
                wrong.push(format!(
                    "order {} is {}, and was charged {captures} times",
                    order.id, order.status
                ));
            }
        }
        for product in &self.front.plan.products {
            let stock = shop.stock(&product.sku)?;
            let late: u32 = product.deliveries.iter().map(|(_, quantity)| quantity).sum();
            let put_in = i64::from(product.stock) + i64::from(late);
            let paid = seen.iter().filter(|order| order.status == "paid");
            let sold: u64 = paid.filter_map(|order| order.lines.get(&product.sku)).sum();
            let sold = i64::try_from(sold).unwrap_or(i64::MAX);
            if (stock.available, stock.held, stock.sold) != (put_in - sold, 0, sold) {
                wrong.push(format!(
                    "{}: {stock:?}, where {put_in} were put in and {sold} are in paid orders",
                    product.sku
                ));
            }
        }
        Ok(wrong)
    }

    fn wanted(&self, order: &PlannedOrder) -> BTreeMap<String, u64> {
        let lines = order.lines.iter();
        lines
            .filter_map(|(product, quantity)| {
                Some((self.front.plan.products.get(*product)?.sku.clone(), u64::from(*quantity)))
            })
            .collect()
    }
}

/// Orders whose status is another than before, or that came or went.
pub(crate) fn changes(before: &[Seen], after: &[Seen]) -> Vec<String> {
    let statuses = |seen: &[Seen]| -> BTreeMap<String, String> {
        seen.iter().map(|seen| (seen.id.clone(), seen.status.clone())).collect()
    };
    let (before, after) = (statuses(before), statuses(after));
    let ids: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    ids.into_iter()
        .filter(|id| before.get(*id) != after.get(*id))
        .map(|id| format!("order {id} was final as {:?} and is {:?} now", before.get(id), after.get(id)))
        .collect()
}

fn read(number: usize, body: &Value) -> Option<Seen> {
    let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
    let lines = body.get("lines")?.as_array()?.iter();
    let lines =
        lines.map(|line| Some((line.get("sku")?.as_str()?.to_owned(), line.get("quantity")?.as_u64()?)));
    Some(Seen { number, id: text("id")?, status: text("status")?, lines: lines.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_final_order_that_changes_comes_or_goes_is_told() {
        let seen = |id: &str, status: &str| Seen {
            number: 1,
            id: id.to_owned(),
            status: status.to_owned(),
            lines: BTreeMap::new(),
        };
        let before = [seen("a", "paid"), seen("b", "paid"), seen("c", "expired")];
        assert!(changes(&before, &before).is_empty());
        let after = [seen("a", "cancelled"), seen("c", "expired"), seen("d", "paid")];
        let told = changes(&before, &after);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].starts_with("order a was final as Some(\"paid\")"), "{told:?}");
    }
}
