//! Issuing invoices: their content, and the handling of failures.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{OrderId, TaxRate};
use invoices::Invoice;
use invoices::adapters::memory::InMemoryInvoices;
use invoices::issue::IssueInvoice;
use invoices::store::{Invoices, PutResult};
use platform::{EventHandler, Failure};
use serde_json::json;

use crate::support::{Shop, event, id, line, paid, settings, tea, time};

const NOON: &str = "2026-11-23T11:00:00Z";

#[tokio::test]
async fn a_paid_order_gets_a_complete_invoice() {
    let shop = Shop::at(NOON);
    assert_eq!(shop.issuer().handle(&tea(id(1))).await.unwrap(), vec![]);
    let all = shop.invoices.all();
    let [invoice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!(invoice.number.to_string(), "2026-000001");
    assert_eq!((invoice.order_id, invoice.issued_at), (id(1), time(NOON)));
    assert_eq!(invoice.total.to_string(), "64.99 EUR");
    let lines: Vec<_> = invoice
        .lines
        .iter()
        .map(|line| {
            (line.name.as_ref().unwrap().as_str(), line.price.minor_units(), line.tax_rate.basis_points())
        })
        .collect();
    assert_eq!(lines, [("Darjeeling First Flush", 2500, 700), ("Teapot", 3999, 1900)]);
    assert_eq!(invoice.seller.tax_id, "DE123456789");
    assert_eq!(invoice.buyer.address.as_ref().unwrap().city.as_str(), "London");
    // Later changes do not affect the invoice.
    shop.products.put("TEA-001", "Darjeeling, old", Some(0)).unwrap();
    shop.issuer().handle(&tea(id(1))).await.unwrap();
    assert_eq!(shop.invoices.all(), all);
}

#[tokio::test]
async fn the_year_ends_in_the_shops_time_zone() {
    for (now, number, day) in [
        ("2026-12-31T22:59:59Z", "2026-000001", "2026-12-31"),
        ("2026-12-31T23:00:00Z", "2027-000001", "2027-01-01"),
    ] {
        let shop = Shop::at(now);
        shop.issuer().handle(&paid(id(1), "2026-12-31T22:30:00Z", &[line("TEA-001", 1, 100)])).await.unwrap();
        let invoice = shop.invoices.all().remove(0);
        assert_eq!(
            (invoice.number.to_string().as_str(), invoice.issued_on.to_string().as_str()),
            (number, day)
        );
        assert_eq!(invoice.paid_on.to_string(), "2026-12-31");
    }
}

#[tokio::test]
async fn a_deleted_product_is_named_by_its_sku_with_the_standard_rate() {
    let shop = Shop::at(NOON);
    shop.issuer().handle(&paid(id(1), NOON, &[line("GONE-1", 1, 100)])).await.unwrap();
    let line = shop.invoices.all().remove(0).lines.remove(0);
    assert_eq!((line.name, line.tax_rate), (None, TaxRate::try_from(1900).unwrap()));
}

#[tokio::test]
async fn an_order_of_nothing_gets_an_invoice_without_a_payment_reference() {
    let shop = Shop::at(NOON);
    let mut free = serde_json::to_value(paid(id(1), NOON, &[line("TEA-001", 1, 0)])).unwrap();
    free["data"].as_object_mut().unwrap().remove("payment_intent");
    shop.issuer().handle(&serde_json::from_value(free).unwrap()).await.unwrap();
    let invoice = shop.invoices.all().remove(0);
    assert_eq!((invoice.total.to_string().as_str(), &invoice.payment_intent), ("0.00 EUR", &None));
    let content = invoices::content::Content::from_invoice(&invoice);
    assert_eq!(content.payment_note, "Es ist nichts zu bezahlen.");
}

#[tokio::test]
async fn an_unavailable_inventory_is_retried_without_a_gap_in_the_numbers() {
    let shop = Shop::at(NOON);
    shop.products.failures.fail_next(1);
    let failed = shop.issuer().handle(&tea(id(1))).await;
    assert!(matches!(failed, Err(Failure::Retry(_))), "{failed:?}");
    shop.issuer().handle(&tea(id(2))).await.unwrap();
    shop.issuer().handle(&tea(id(1))).await.unwrap();
    let numbers: Vec<_> =
        shop.invoices.all().iter().map(|invoice| (invoice.number.serial(), invoice.order_id)).collect();
    assert_eq!(numbers, [(1, id(2)), (2, id(1))]);
}

#[tokio::test]
async fn an_order_that_cannot_be_invoiced_is_rejected() {
    let shop = Shop::at(NOON);
    let mut other = serde_json::to_value(tea(id(1))).unwrap();
    other["data"]["amount"]["amount"] = 1.into();
    let failed = shop.issuer().handle(&serde_json::from_value(other).unwrap()).await;
    assert!(matches!(failed, Err(Failure::Reject(_))), "{failed:?}");
    let committed = event(id(1), NOON, "reservation.committed", &json!({}));
    let failed = shop.issuer().handle(&committed).await;
    assert!(matches!(failed, Err(Failure::Poison(_))), "{failed:?}");
    assert_eq!(shop.invoices.all(), []);
}

/// Invoices of which a reader sees nothing, as if they were issued right after it has looked.
struct IssuedMeanwhile(Arc<InMemoryInvoices>);

#[async_trait]
impl Invoices for IssuedMeanwhile {
    async fn get(&self, _: OrderId) -> anyhow::Result<Option<Invoice>> {
        Ok(None)
    }

    async fn last_serial(&self, year: i16) -> anyhow::Result<u32> {
        self.0.last_serial(year).await
    }

    async fn put(&self, invoice: &Invoice) -> anyhow::Result<PutResult> {
        self.0.put(invoice).await
    }
}

#[tokio::test]
async fn an_order_that_gets_its_invoice_meanwhile_gets_no_other() {
    let shop = Shop::at(NOON);
    shop.issuer().handle(&tea(id(1))).await.unwrap();
    let issued = shop.invoices.all();
    let late = Arc::new(IssuedMeanwhile(shop.invoices.clone()));
    let issuer = IssueInvoice::new(late, shop.products.clone(), settings(), shop.clock.clone());
    assert_eq!(issuer.handle(&tea(id(1))).await.unwrap(), vec![]);
    assert_eq!(shop.invoices.all(), issued);
    // No number was used up.
    shop.issuer().handle(&tea(id(2))).await.unwrap();
    assert_eq!(shop.invoices.all()[1].number.serial(), 2);
}
