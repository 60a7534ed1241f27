//! Sample values for the tests.

use domain::{Cause, Customer, Line, Lines, Money, OrderDetails, OrderId, Sku};
use jiff::Timestamp;
use proptest::test_runner::{Config, RngSeed};
use serde_json::json;
use uuid::Uuid;

/// A configuration with this number of cases and a fixed seed, unless `PROPTEST_RNG_SEED` sets another.
pub(crate) fn cases(cases: u32) -> Config {
    let default = Config::default();
    let rng_seed = match default.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2026),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    Config { cases, rng_seed, failure_persistence: None, ..default }
}

pub(crate) fn order_id(number: u8) -> OrderId {
    OrderId::from(Uuid::from_u128(0x0189_0a5d_ac96_774b_bcce_b302_099a_8000 + u128::from(number)))
}

pub(crate) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_428_930 + second).unwrap()
}

pub(crate) fn cause() -> Cause {
    Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None }
}

pub(crate) fn sku(number: u8) -> Sku {
    format!("TEA-{number:03}").parse().unwrap()
}

pub(crate) fn euros(minor_units: i64) -> Money {
    serde_json::from_value(json!({"amount": minor_units, "currency": "EUR"})).unwrap()
}

pub(crate) fn line(sku: Sku, quantity: i64, price: Money) -> Line {
    Line { sku, quantity: quantity.try_into().unwrap(), unit_price: price }
}

pub(crate) fn details() -> OrderDetails {
    details_at(1250, 499)
}

/// An order with these prices.
pub(crate) fn details_at(first: i64, second: i64) -> OrderDetails {
    let customer: Customer =
        serde_json::from_value(json!({"id": "cust-1", "name": "Ada Lovelace", "email": "ada@example.com"}))
            .unwrap();
    let lines = vec![line(sku(1), 2, euros(first)), line(sku(2), 1, euros(second))];
    OrderDetails::new(customer, Lines::try_from(lines).unwrap(), "pm_card_visa".parse().unwrap(), time(0))
}
