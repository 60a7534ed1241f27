//! Checks the final state, as seen through the API, against the plan and the responses that the clients
//! received.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;
use shopctl::api::Shop;
use shopctl::http::Http;

use super::clients::{ClientLog, RunContext};
use super::plan::{PlannedOrder, Submission};
use crate::stand_in::Control;

/// Reads the orders of a run through the API, and checks them.
pub(crate) struct ApiChecker<'a> {
    pub(crate) context: &'a RunContext<'a>,
    http: Http,
}

/// An order as its customer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CustomerOrder {
    /// The number, in the plan, of the order of its customer.
    pub(crate) number: usize,
    pub(crate) id: String,
    pub(crate) status: String,
    /// Quantities by SKU.
    lines: BTreeMap<String, u64>,
}

impl CustomerOrder {
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "rejected" | "payment_failed" | "cancelled" | "expired")
    }

    pub(crate) fn describe(&self) -> String {
        format!("{} is {}", self.id, self.status)
    }
}

impl<'a> ApiChecker<'a> {
    pub(crate) fn new(context: &'a RunContext<'a>) -> Self {
        Self { context, http: Http::default() }
    }

    /// Lists the orders of all customers.
    pub(crate) fn read_orders(&self) -> anyhow::Result<Vec<CustomerOrder>> {
        let mut all = Vec::new();
        for order in &self.context.plan.orders {
            let shop = &self.context.shop;
            let url = format!("{}/orders?customer_id={}", shop.url(), self.context.customer(order.number));
            let response =
                self.http.get_with(&url, &[shop.authorization()])?.success("listing a customer's orders")?;
            let orders =
                response.get("orders").and_then(Value::as_array).context("the response has no `orders`")?;
            for body in orders {
                all.push(
                    parse_order(order.number, body).with_context(|| format!("unexpected order: {body}"))?,
                );
            }
        }
        Ok(all)
    }

    /// Checks that each customer has exactly the order that the responses named. Returns the violations.
    pub(crate) fn check_orders(&self, logs: &[ClientLog], orders: &[CustomerOrder]) -> Vec<String> {
        let mut violations = Vec::new();
        for log in logs {
            violations.extend(log.rejections.iter().map(|why| format!("customer {}: {why}", log.number)));
            let owned: Vec<&CustomerOrder> =
                orders.iter().filter(|order| order.number == log.number).collect();
            let ids: Vec<&str> = owned.iter().map(|order| order.id.as_str()).collect();
            let planned = self.context.plan.orders.iter().find(|order| order.number == log.number);
            let abandoned = planned.is_some_and(|order| matches!(order.submission, Submission::Abandoned(_)));
            if ids.len() > 1 || (ids.is_empty() && !(abandoned && log.ids.is_empty())) {
                violations.push(format!(
                    "customer {}: {} orders with one idempotency key: {ids:?}",
                    log.number,
                    ids.len()
                ));
            }
            for id in log.ids.iter().filter(|id| !ids.contains(&id.as_str())) {
                violations.push(format!(
                    "customer {}: a response with status 201 names order {id}, which is not theirs",
                    log.number
                ));
            }
            for order in owned {
                if planned.is_some_and(|planned| self.planned_lines(planned) != order.lines) {
                    violations.push(format!("order {}: its lines are not those of the request", order.id));
                }
            }
        }
        violations
    }

    /// Checks that charges and stock match the orders. Returns the violations.
    pub(crate) fn check_charges_and_stock(
        &self,
        shop: &Shop,
        provider: &Control,
        orders: &[CustomerOrder],
    ) -> anyhow::Result<Vec<String>> {
        let mut violations = Vec::new();
        for order in orders {
            let (captures, paid) = (provider.captures(&order.id)?, order.status == "paid");
            if captures != usize::from(paid) {
                violations.push(format!(
                    "order {} is {}, but was charged {captures} times",
                    order.id, order.status
                ));
            }
        }
        for product in &self.context.plan.products {
            let stock = shop.stock(&product.sku)?;
            let late: u32 = product.deliveries.iter().map(|(_, quantity)| quantity).sum();
            let delivered = i64::from(product.stock) + i64::from(late);
            let paid = orders.iter().filter(|order| order.status == "paid");
            let sold: u64 = paid.filter_map(|order| order.lines.get(&product.sku)).sum();
            let sold = i64::try_from(sold).unwrap_or(i64::MAX);
            if (stock.available, stock.held, stock.sold) != (delivered - sold, 0, sold) {
                violations.push(format!(
                    "{}: {stock:?}, but {delivered} were delivered and {sold} are in paid orders",
                    product.sku
                ));
            }
        }
        Ok(violations)
    }

    fn planned_lines(&self, order: &PlannedOrder) -> BTreeMap<String, u64> {
        let lines = order.lines.iter();
        lines
            .filter_map(|(product, quantity)| {
                Some((self.context.plan.products.get(*product)?.sku.clone(), u64::from(*quantity)))
            })
            .collect()
    }
}

/// Describes the orders whose status changed, and those that appeared or disappeared.
pub(crate) fn changed_orders(before: &[CustomerOrder], after: &[CustomerOrder]) -> Vec<String> {
    let statuses = |orders: &[CustomerOrder]| -> BTreeMap<String, String> {
        orders.iter().map(|order| (order.id.clone(), order.status.clone())).collect()
    };
    let (before, after) = (statuses(before), statuses(after));
    let ids: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    ids.into_iter()
        .filter(|id| before.get(*id) != after.get(*id))
        .map(|id| {
            format!("order {id}: final status changed from {:?} to {:?}", before.get(id), after.get(id))
        })
        .collect()
}

fn parse_order(number: usize, body: &Value) -> Option<CustomerOrder> {
    let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
    let lines = body.get("lines")?.as_array()?.iter();
    let lines =
        lines.map(|line| Some((line.get("sku")?.as_str()?.to_owned(), line.get("quantity")?.as_u64()?)));
    Some(CustomerOrder {
        number,
        id: text("id")?,
        status: text("status")?,
        lines: lines.collect::<Option<_>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn final_orders_that_change_appear_or_disappear_are_reported() {
        let order = |id: &str, status: &str| CustomerOrder {
            number: 1,
            id: id.to_owned(),
            status: status.to_owned(),
            lines: BTreeMap::new(),
        };
        let before = [order("a", "paid"), order("b", "paid"), order("c", "expired")];
        assert!(changed_orders(&before, &before).is_empty());
        let after = [order("a", "cancelled"), order("c", "expired"), order("d", "paid")];
        let changed = changed_orders(&before, &after);
        assert_eq!(changed.len(), 3, "{changed:?}");
        assert!(changed[0].starts_with("order a: final status changed from Some(\"paid\")"), "{changed:?}");
    }
}
