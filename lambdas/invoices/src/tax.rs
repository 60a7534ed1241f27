//! The tax that is included in the paid amount.

use std::collections::BTreeMap;

use domain::TaxRate;

use crate::record::InvoiceLine;

/// The total at one tax rate, in minor units of the invoice's currency. `net + tax` equals `gross` exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct TaxTotal {
    pub rate: TaxRate,
    pub net: u32,
    pub tax: u32,
    pub gross: u32,
}

/// Returns the totals for each tax rate among `lines`, the highest rate first. The tax is calculated and
/// rounded once for the sum of all lines with the same rate, and not line by line, so the totals are those of
/// the whole invoice to the last cent.
pub fn totals_by_rate(lines: &[InvoiceLine]) -> Vec<TaxTotal> {
    let mut gross: BTreeMap<TaxRate, u32> = BTreeMap::new();
    for line in lines {
        let total = gross.entry(line.tax_rate).or_default();
        *total = total.saturating_add(line.price.minor_units());
    }
    let totals = gross.into_iter().rev().map(|(rate, gross)| {
        let tax = rate.tax_included_in(gross);
        TaxTotal { rate, net: gross.saturating_sub(tax), tax, gross }
    });
    totals.collect()
}

#[cfg(test)]
mod tests {
    use domain::money::MAX_AMOUNT;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn line(price: u32, rate: u16) -> InvoiceLine {
        serde_json::from_value(json!({
            "sku": "A", "quantity": 1, "tax_rate": rate,
            "unit_price": { "amount": price, "currency": "EUR" }, "price": { "amount": price, "currency": "EUR" },
        }))
        .unwrap()
    }

    #[test]
    fn the_total_is_rounded_and_not_each_line() {
        // 1.00 includes 0.16 tax (15.97 cents), and three times that 0.48 (47.90), which is the same sum
        // here; with seven lines, it differs.
        let lines: Vec<_> = (0..7).map(|_| line(100, 1900)).collect();
        assert_eq!(
            totals_by_rate(&lines),
            [TaxTotal { rate: lines[0].tax_rate, net: 588, tax: 112, gross: 700 }]
        );
        let lines: Vec<_> = (0..100).map(|_| line(100, 1900)).collect();
        assert_eq!(totals_by_rate(&lines)[0].tax, 1597, "and not 1600");
    }

    proptest! {
        #[test]
        fn totals_add_up(prices in prop::collection::vec((0..=MAX_AMOUNT / 50, 0..=4_usize), 1..50)) {
            let rates = [0, 700, 1900, 550, 10_000];
            let lines: Vec<_> = prices.iter().map(|(price, rate)| line(*price, rates[*rate])).collect();
            let totals = totals_by_rate(&lines);
            let gross: u32 = lines.iter().map(|line| line.price.minor_units()).sum();
            prop_assert_eq!(totals.iter().map(|total| total.gross).sum::<u32>(), gross);
            for total in &totals {
                prop_assert_eq!(total.net + total.tax, total.gross);
                // The tax is exact to within half a minor unit: it is the net amount times the rate.
                let (tax, gross, rate) = (i64::from(total.tax), i64::from(total.gross), i64::from(total.rate.basis_points()));
                let error = (tax * (10_000 + rate) - gross * rate).abs();
                prop_assert!(2 * error <= 10_000 + rate, "{:?}", total);
            }
            prop_assert!(totals.windows(2).all(|pair| pair[0].rate > pair[1].rate));
        }
    }
}
