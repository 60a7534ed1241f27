//! The limits of orders: the number of lines, quantities and amounts.

use domain::money::MAX_AMOUNT;
use domain::{InvalidLines, Line, Lines, MAX_LINES, MAX_QUANTITY, OrderDetails, Quantity};
use proptest::prelude::*;
use serde_json::json;

use crate::sample::{cases, details, euros, line, sku};

fn lines_of(count: usize) -> Vec<Line> {
    (0..count).map(|number| line(sku(u8::try_from(number).unwrap()), 1, euros(1))).collect()
}

#[test]
fn an_order_has_1_to_50_lines() {
    assert_eq!(Lines::try_from(lines_of(0)), Err(InvalidLines::Count(0)));
    assert_eq!(Lines::try_from(lines_of(1)).unwrap().iter().count(), 1);
    assert_eq!(Lines::try_from(lines_of(MAX_LINES)).unwrap().iter().count(), MAX_LINES);
    assert_eq!(Lines::try_from(lines_of(MAX_LINES + 1)), Err(InvalidLines::Count(MAX_LINES + 1)));
}

#[test]
fn an_order_names_each_product_once() {
    let twice = vec![line(sku(1), 1, euros(1)), line(sku(2), 1, euros(1)), line(sku(1), 5, euros(1))];
    assert_eq!(Lines::try_from(twice), Err(InvalidLines::Duplicate(sku(1))));
}

/// Otherwise one of the prices would be wrong, and the inventory could not say which line it has no stock for.
#[test]
fn an_order_has_one_price_for_each_product() {
    for (quantity, price) in [(1, 2), (5, 2), (1, 0), (1, 1)] {
        let twice =
            vec![line(sku(1), 1, euros(1)), line(sku(2), 1, euros(1)), line(sku(1), quantity, euros(price))];
        assert_eq!(Lines::try_from(twice.clone()), Err(InvalidLines::Duplicate(sku(1))), "{price}");
        // In an event.
        let mut json = serde_json::to_value(details()).unwrap();
        json["lines"] = serde_json::to_value(&twice).unwrap();
        json["total"]["amount"] = json!(2 + quantity * price);
        let error = serde_json::from_value::<OrderDetails>(json).unwrap_err().to_string();
        assert!(error.contains("must name each product once, names TEA-001 twice"), "{error}");
    }
}

#[test]
fn an_order_has_one_currency_and_a_total_that_fits() {
    let dollars = serde_json::from_value(json!({"amount": 1, "currency": "USD"})).unwrap();
    let mixed = vec![line(sku(1), 1, euros(1)), line(sku(2), 1, dollars)];
    assert!(Lines::try_from(mixed).unwrap_err().to_string().contains("EUR and USD"));
    let largest = euros(MAX_AMOUNT.into());
    assert!(Lines::try_from(vec![line(sku(1), 1, largest)]).is_ok());
    assert!(matches!(Lines::try_from(vec![line(sku(1), 2, largest)]), Err(InvalidLines::Money(_))));
    let sum = vec![line(sku(1), 1, largest), line(sku(2), 1, euros(1))];
    assert!(matches!(Lines::try_from(sum), Err(InvalidLines::Money(_))));
}

#[test]
fn a_quantity_is_1_to_999() {
    for good in [1, 2, i64::from(MAX_QUANTITY)] {
        assert_eq!(i64::from(Quantity::try_from(good).unwrap().get()), good);
    }
    for bad in [i64::MIN, -1, 0, i64::from(MAX_QUANTITY) + 1, 1 << 32, (1 << 32) + 1, i64::MAX] {
        assert!(Quantity::try_from(bad).is_err(), "{bad}");
    }
    assert!(serde_json::from_str::<Quantity>("1.0").is_err());
}

#[test]
fn details_whose_total_is_not_the_sum_are_rejected() {
    let mut json = serde_json::to_value(details()).unwrap();
    assert_eq!(serde_json::from_value::<OrderDetails>(json.clone()).unwrap(), details());
    json["total"]["amount"] = json!(1);
    let error = serde_json::from_value::<OrderDetails>(json).unwrap_err().to_string();
    assert!(error.contains("29.99 EUR") && error.contains("0.01 EUR"), "{error}");
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_total_is_the_sum_of_the_lines(ordered in proptest::collection::vec((1..=999_i64, 0..=2000_i64), 1..=50)) {
        let lines = ordered.iter().enumerate().map(|(i, (quantity, price))| {
            line(sku(u8::try_from(i).unwrap()), *quantity, euros(*price))
        });
        let sum: i64 = ordered.iter().map(|(quantity, price)| quantity * price).sum();
        match Lines::try_from(lines.collect::<Vec<_>>()) {
            Ok(lines) => prop_assert_eq!(i64::from(lines.total().minor_units()), sum),
            Err(error) => prop_assert!(sum > i64::from(MAX_AMOUNT), "{}", error),
        }
    }
}
