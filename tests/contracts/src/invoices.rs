//! `invoices::store::Invoices`: invoices with consecutive numbers.

use std::sync::Arc;

use domain::TaxRate;
use futures::future::try_join_all;
use invoices::store::{Invoices, PutResult};
use invoices::{Buyer, Invoice, InvoiceLine, InvoiceNumber, Seller};

use crate::check::{contract_suite, same};
use crate::sample::{customer, euros, line, name, order_id, sku, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub invoices: Arc<dyn Invoices>,
}

contract_suite!(World:
    numbers_start_at_one,
    numbers_are_consecutive,
    an_order_has_one_invoice,
    reads_return_what_was_written,
    each_year_has_its_own_sequence,
    concurrent_writes_of_one_number_have_one_winner,
    concurrent_writes_for_one_order_take_one_number,
);

fn invoice(order: u32, year: i16, serial: u32) -> anyhow::Result<Invoice> {
    let number = InvoiceNumber::after(year, serial - 1).ok_or_else(|| anyhow::anyhow!("no such number"))?;
    let (line, at) = (line(sku(1)?, 2)?, time(0)?);
    let price = euros(2500)?;
    let day = jiff::civil::date(year, 11, 23);
    Ok(Invoice {
        number,
        order_id: order_id(order),
        issued_at: at,
        issued_on: day,
        ordered_on: day,
        paid_on: day,
        payment_intent: Some("pi_1".parse()?),
        seller: Seller { name: "The shop".into(), address: vec!["Straße 1".into()], tax_id: String::new() },
        buyer: Buyer {
            id: customer(1)?,
            name: "Ada Lovelace".parse()?,
            address: None,
            language: Some("de".parse()?),
        },
        lines: vec![InvoiceLine {
            sku: line.sku,
            name: Some(name()?),
            quantity: line.quantity,
            unit_price: line.unit_price,
            price,
            tax_rate: TaxRate::try_from(1900)?,
        }],
        total: price,
    })
}

async fn numbers_start_at_one(world: &World) -> anyhow::Result<()> {
    let invoices = &world.invoices;
    same("none", invoices.get(order_id(1)).await?, None)?;
    same("no number", invoices.last_serial(2026).await?, 0)?;
    same("the second", invoices.put(&invoice(1, 2026, 2)?).await?, PutResult::NumberConflict)?;
    same("still none", invoices.get(order_id(1)).await?, None)?;
    same("still no number", invoices.last_serial(2026).await?, 0)?;
    same("the first", invoices.put(&invoice(1, 2026, 1)?).await?, PutResult::Written)?;
    same("its number", invoices.last_serial(2026).await?, 1)
}

async fn numbers_are_consecutive(world: &World) -> anyhow::Result<()> {
    for serial in 1..=4 {
        same("the next", world.invoices.put(&invoice(serial, 2026, serial)?).await?, PutResult::Written)?;
    }
    for serial in [1, 2, 3, 4, 6, 7] {
        let put = world.invoices.put(&invoice(9, 2026, serial)?).await?;
        same(&format!("{serial} after 4"), put, PutResult::NumberConflict)?;
        same("nothing written", world.invoices.get(order_id(9)).await?, None)?;
        same("the last", world.invoices.last_serial(2026).await?, 4)?;
    }
    Ok(())
}

async fn an_order_has_one_invoice(world: &World) -> anyhow::Result<()> {
    let first = invoice(1, 2026, 1)?;
    same("written", world.invoices.put(&first).await?, PutResult::Written)?;
    // A retry after a lost response; and the next number of this or of another year.
    for again in [first.clone(), invoice(1, 2026, 2)?, invoice(1, 2027, 1)?] {
        same("again", world.invoices.put(&again).await?, PutResult::OrderHasInvoice)?;
        same("read", world.invoices.get(order_id(1)).await?, Some(first.clone()))?;
    }
    same(
        "the last",
        (world.invoices.last_serial(2026).await?, world.invoices.last_serial(2027).await?),
        (1, 0),
    )
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let mut invoice = invoice(1, 2026, 1)?;
    invoice.buyer.address = Some(serde_json::from_value(serde_json::json!({
        "recipient": "Наталія", "street": "вул. Хрещатик, 1", "city": "Київ", "country": "UA",
    }))?);
    invoice.lines.extend(invoice.lines.first().cloned().map(|line| InvoiceLine { name: None, ..line }));
    same("written", world.invoices.put(&invoice).await?, PutResult::Written)?;
    same("read", world.invoices.get(order_id(1)).await?, Some(invoice))
}

async fn each_year_has_its_own_sequence(world: &World) -> anyhow::Result<()> {
    same("one of this year", world.invoices.put(&invoice(1, 2026, 1)?).await?, PutResult::Written)?;
    same("one of the next", world.invoices.put(&invoice(2, 2027, 1)?).await?, PutResult::Written)?;
    same("another of this", world.invoices.put(&invoice(3, 2026, 2)?).await?, PutResult::Written)?;
    same(
        "the last",
        (world.invoices.last_serial(2026).await?, world.invoices.last_serial(2027).await?),
        (2, 1),
    )
}

async fn concurrent_writes_of_one_number_have_one_winner(world: &World) -> anyhow::Result<()> {
    let many = (1..=20).map(|order| invoice(order, 2026, 1)).collect::<anyhow::Result<Vec<_>>>()?;
    let put = try_join_all(many.iter().map(|invoice| world.invoices.put(invoice))).await?;
    same("winners", put.iter().filter(|put| **put == PutResult::Written).count(), 1)?;
    same("losers", put.iter().filter(|put| **put == PutResult::NumberConflict).count(), 19)?;
    same("the last", world.invoices.last_serial(2026).await?, 1)
}

async fn concurrent_writes_for_one_order_take_one_number(world: &World) -> anyhow::Result<()> {
    let one = invoice(1, 2026, 1)?;
    let put = try_join_all((0..20).map(|_| world.invoices.put(&one))).await?;
    same("written", put.iter().filter(|put| **put == PutResult::Written).count(), 1)?;
    same("the last", world.invoices.last_serial(2026).await?, 1)?;
    same("read", world.invoices.get(order_id(1)).await?, Some(one))
}
