//! The report as a page: charts, and tables with the same figures. It is a single file without scripts or
//! external resources, so it can be stored, forwarded and printed.

use askama::Template;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::chart::{ColumnChart, RowChart};
use super::day::LocalDay;
use super::figures::{Figures, Sales, Unit};
use super::money::format_grouped;

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    shop: &'a str,
    date: String,
    day: String,
    zone: &'a str,
    length: i64,
    made_at: String,
    sections: Vec<Section>,
}

/// The part of the page for one currency.
struct Section {
    code: &'static str,
    tiles: Vec<(&'static str, String)>,
    money: ColumnChart,
    orders: ColumnChart,
    top_products: RowChart,
    hours: Vec<HourRow>,
    total: HourRow,
    products: Vec<ProductRow>,
    products_total: ProductRow,
    stock_outs: Vec<StockOutRow>,
}

struct HourRow {
    label: String,
    placed: u64,
    paid: u64,
    revenue: String,
    refunds: u64,
    refunded: String,
    out_of_stock: u64,
}

struct ProductRow {
    sku: String,
    orders: u64,
    pieces: u64,
    revenue: String,
    refunded: String,
    net: String,
}

struct StockOutRow {
    sku: String,
    times: u64,
    missing: u64,
}

/// Renders the page.
///
/// # Errors
/// When the template cannot be rendered.
pub fn render(
    shop: &str,
    day: &LocalDay,
    zone: &TimeZone,
    figures: &Figures,
    made_at: Timestamp,
) -> anyhow::Result<String> {
    let page = Page {
        shop,
        date: day.date.strftime("%A, %-d %B %Y").to_string(),
        day: day.date.to_string(),
        zone: zone.iana_name().unwrap_or("UTC"),
        length: day.end.duration_since(day.start).as_hours(),
        made_at: made_at.to_zoned_datetime(zone.clone()).strftime("%-d %B %Y, %H:%M (UTC%:z)").to_string(),
        sections: figures.currencies().into_iter().map(|unit| section(unit, figures)).collect(),
    };
    Ok(page.render()?)
}

fn section(unit: Unit, figures: &Figures) -> Section {
    let number = |minor_units: i128| format_grouped(minor_units, unit.digits);
    let hour_row = |label: &str, hour: Option<usize>| {
        let (orders, sales) = (figures.order_totals(unit, hour), figures.sales_totals(unit, hour));
        HourRow {
            label: label.to_owned(),
            placed: orders.placed,
            paid: orders.paid,
            revenue: number(sales.revenue.into()),
            refunds: orders.refunds,
            refunded: number(sales.refunded.into()),
            out_of_stock: orders.out_of_stock,
        }
    };
    let hours = figures.hours();
    let labels: Vec<String> = hours.iter().map(|hour| hour.label.clone()).collect();
    let hourly = |of: &dyn Fn(usize) -> u64| (0..hours.len()).map(of).collect::<Vec<u64>>();
    let revenue = hourly(&|hour| figures.sales_totals(unit, Some(hour)).revenue);
    let refunded = hourly(&|hour| figures.sales_totals(unit, Some(hour)).refunded);
    let placed = hourly(&|hour| figures.order_totals(unit, Some(hour)).placed);
    let paid = hourly(&|hour| figures.order_totals(unit, Some(hour)).paid);
    let products = figures.sales_by_product(unit);
    let top_products: Vec<(String, u64)> =
        products.iter().map(|(sku, sales)| (sku.to_string(), sales.revenue)).collect();
    let product_row = |sku: String, sales: Sales| ProductRow {
        sku,
        orders: sales.orders,
        pieces: sales.pieces,
        revenue: number(sales.revenue.into()),
        refunded: number(sales.refunded.into()),
        net: number(sales.net()),
    };
    let (orders, sales) = (figures.order_totals(unit, None), figures.sales_totals(unit, None));
    let mut out: Vec<_> = products.iter().filter(|(_, sales)| sales.stock_outs > 0).collect();
    out.sort_by_key(|(_, sales)| std::cmp::Reverse((sales.stock_outs, sales.missing)));
    Section {
        code: unit.code,
        tiles: vec![
            ("Orders placed", format_grouped(orders.placed.into(), 0)),
            ("Orders paid", format_grouped(orders.paid.into(), 0)),
            ("Revenue", number(sales.revenue.into())),
            ("Refunds", number(sales.refunded.into())),
            ("Net", number(sales.net())),
            ("Rejected, out of stock", format_grouped(orders.out_of_stock.into(), 0)),
        ],
        money: ColumnChart::new(&labels, &[("Revenue", revenue), ("Refunds", refunded)], unit.digits),
        orders: ColumnChart::new(&labels, &[("Placed", placed), ("Paid", paid)], 0),
        top_products: RowChart::new(&top_products, unit.digits),
        hours: hours.iter().enumerate().map(|(index, hour)| hour_row(&hour.label, Some(index))).collect(),
        total: hour_row("All day", None),
        products: products
            .iter()
            .filter(|(_, sales)| sales.orders > 0 || sales.refunded > 0)
            .map(|(sku, sales)| product_row(sku.to_string(), *sales))
            .collect(),
        products_total: product_row("All products".to_owned(), sales),
        stock_outs: out
            .into_iter()
            .map(|(sku, sales)| StockOutRow {
                sku: sku.to_string(),
                times: sales.stock_outs,
                missing: sales.missing,
            })
            .collect(),
    }
}
