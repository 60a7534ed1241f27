//! CSV: one row per order line. Amounts are in the major unit with a decimal point, times are RFC 3339 in UTC.

use domain::money::format_decimal;
use platform::csv::Csv;

use super::order_lines;
use crate::ledger::sale::Sale;

const SEPARATOR: u8 = b',';

const COLUMNS: [&str; 15] = [
    "order_id",
    "placed_at",
    "status",
    "customer_id",
    "customer_name",
    "customer_email",
    "currency",
    "order_total",
    "paid_at",
    "refunded",
    "line_number",
    "sku",
    "quantity",
    "unit_price",
    "line_total",
];

pub(super) fn write_header(out: &mut Vec<u8>) {
    Csv::start_file(out, SEPARATOR).write_row(&COLUMNS);
}

pub(super) fn push(out: &mut Vec<u8>, sale: &Sale) {
    let mut csv = Csv::append(out, SEPARATOR);
    for line in order_lines(sale) {
        let amount = |minor_units: u64| format_decimal(minor_units.into(), line.digits, '.', None);
        csv.write_row(&[
            &line.order_id,
            &line.placed_at.to_string(),
            &line.status,
            &line.customer_id,
            &line.customer_name,
            &line.customer_email,
            &line.currency,
            &amount(line.order_total),
            &line.paid_at.map(|at| at.to_string()).unwrap_or_default(),
            &amount(line.refunded),
            &line.line_number.to_string(),
            &line.sku,
            &line.quantity.to_string(),
            &amount(line.unit_price),
            &amount(line.line_total),
        ]);
    }
}
