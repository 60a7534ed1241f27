//! JSON Lines (<https://jsonlines.org>): one order per line, with the notation of the API.

use domain::{Lines, Money};
use jiff::Timestamp;
use serde::Serialize;

use super::status_name;
use crate::ledger::sale::Sale;

#[derive(Serialize)]
struct Order<'a> {
    order_id: String,
    placed_at: Timestamp,
    status: &'static str,
    customer: Customer<'a>,
    lines: &'a Lines,
    total: Money,
    paid_at: Option<Timestamp>,
    refunded: Total,
}

#[derive(Serialize)]
struct Customer<'a> {
    id: &'a str,
    name: &'a str,
    email: &'a str,
}

/// Money with an amount that may exceed the maximum of [`Money`].
#[derive(Serialize)]
struct Total {
    amount: u64,
    currency: &'static str,
}

pub(super) fn push(out: &mut Vec<u8>, sale: &Sale) -> anyhow::Result<()> {
    let placed = &sale.order;
    let total = placed.lines.total();
    let order = Order {
        order_id: sale.order_id.to_string(),
        placed_at: placed.placed_at,
        status: status_name(sale.status()),
        customer: Customer {
            id: placed.customer_id.as_str(),
            name: placed.customer_name.as_str(),
            email: placed.customer_email.as_str(),
        },
        lines: &placed.lines,
        total,
        paid_at: sale.paid.as_ref().map(|paid| paid.at),
        refunded: Total { amount: sale.refunded(), currency: total.currency.code() },
    };
    serde_json::to_writer(&mut *out, &order)?;
    out.push(b'\n');
    Ok(())
}
