//! The report as CSV: one row per hour, product and currency with any sales. The rows add up to the totals of
//! the page.

use domain::money::format_decimal;
use platform::csv::Csv;

use super::figures::Figures;

/// Renders the table.
pub fn render(figures: &Figures) -> Vec<u8> {
    let mut out = Vec::new();
    let mut csv = Csv::start_file(&mut out, b',');
    csv.write_row(&[
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
    for (hour, sku, unit, sales) in figures.rows() {
        csv.write_row(&[
            &hour.local,
            sku.as_str(),
            unit.code,
            &sales.orders.to_string(),
            &sales.pieces.to_string(),
            &format_decimal(sales.revenue.into(), unit.digits, '.', None),
            &format_decimal(sales.refunded.into(), unit.digits, '.', None),
            &sales.stock_outs.to_string(),
            &sales.missing.to_string(),
        ]);
    }
    out
}
