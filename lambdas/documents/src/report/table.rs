//! The report as CSV: a row for each hour, product and currency in which anything happened. The rows add up to the
//! page's totals.

use super::figures::Figures;
use crate::export::encode::{Csv, defused};
use crate::money::decimal;

/// Writes it.
pub fn csv(figures: &Figures) -> Vec<u8> {
    let mut out = Vec::new();
    let mut csv = Csv::begin(&mut out);
    csv.row(&[
        "hour",
        "sku",
        "currency",
        "orders",
        "pieces",
        "revenue",
        "refunded",
        "stock_outs",
        "missing_pieces",
    ]);
    for (hour, sku, unit, sales) in figures.cells() {
        csv.row(&[
            &hour.local,
            &defused(sku.as_str()),
            unit.code,
            &sales.orders.to_string(),
            &sales.pieces.to_string(),
            &decimal(sales.revenue.into(), unit.digits),
            &decimal(sales.refunded.into(), unit.digits),
            &sales.stock_outs.to_string(),
            &sales.missing.to_string(),
        ]);
    }
    out
}
