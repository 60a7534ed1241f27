//! The schema of a scalar type accepts exactly what its parser accepts.

use std::str::FromStr;

use domain::money::{Amount, Currency};
use domain::{
    CorrelationId, CustomerId, DeliveryId, EmailAddress, OrderId, PaymentMethodId, PersonName, ProductName,
    Quantity, Sku,
};
use jsonschema::Validator;
use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde_json::json;

fn schema<T: JsonSchema>() -> Validator {
    jsonschema::draft202012::new(&schema_for!(T).to_value()).unwrap()
}

type Parser = Box<dyn Fn(&str) -> bool>;

fn schema_and_parser<T: FromStr + JsonSchema>() -> (Validator, Parser) {
    (schema::<T>(), Box::new(|text| text.parse::<T>().is_ok()))
}

#[test]
fn schemas_of_texts_accept_what_their_parsers_accept() {
    let all = [
        schema_and_parser::<CorrelationId>(),
        schema_and_parser::<CustomerId>(),
        schema_and_parser::<DeliveryId>(),
        schema_and_parser::<EmailAddress>(),
        schema_and_parser::<OrderId>(),
        schema_and_parser::<PaymentMethodId>(),
        schema_and_parser::<PersonName>(),
        schema_and_parser::<ProductName>(),
        schema_and_parser::<Sku>(),
        (schema::<Currency>(), Box::new(|text: &str| Currency::try_from(text.to_owned()).is_ok()) as Parser),
    ];
    let texts = prop_oneof![
        any::<String>(),
        "[!-~]{0,300}",
        "[a-z.@-]{0,12}@[a-z.@-]{0,12}",
        "[!-~]{60,68}@[a-z]{1,3}[.][a-z]{1,200}",
        "[0-9a-fA-F]{7,9}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "[\\x00-\\xff]{0,40}",
        "[A-Za-z]{3}",
        "[a-z]{1,5}\n?",
    ];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) };
    let result = proptest::test_runner::TestRunner::new(config).run(&texts, |text| {
        for (schema, parses) in &all {
            prop_assert_eq!(schema.is_valid(&json!(text)), parses(&text), "{:?}", text);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn schemas_of_numbers_accept_what_their_parsers_accept(number in prop_oneof![any::<i64>(), -2..1002_i64, 99_999_990..100_000_010_i64]) {
        prop_assert_eq!(schema::<Amount>().is_valid(&json!(number)), Amount::try_from(number).is_ok());
        prop_assert_eq!(schema::<Quantity>().is_valid(&json!(number)), Quantity::try_from(number).is_ok());
    }
}
