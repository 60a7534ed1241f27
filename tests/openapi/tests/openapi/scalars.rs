//! The schema of a scalar type accepts exactly what its parser accepts, but for the rules that no pattern can express.

use std::str::FromStr;

use domain::money::{Amount, Currency};
use domain::{
    AddressLine, CorrelationId, CustomerId, DeliveryId, EmailAddress, OrderId, PaymentMethodId, PersonName,
    PostalCode, ProductName, Quantity, Sku,
};
use jsonschema::Validator;
use proptest::prelude::*;
use schemars::{JsonSchema, schema_for};
use serde_json::json;

use crate::TEXT_RULES;

fn schema<T: JsonSchema>() -> Validator {
    jsonschema::draft202012::new(&schema_for!(T).to_value()).unwrap()
}

/// Returns the error with which a text is rejected.
type Parser = Box<dyn Fn(&str) -> Option<String>>;

fn schema_and_parser<T: FromStr<Err: ToString> + JsonSchema>() -> (Validator, Parser) {
    (schema::<T>(), Box::new(|text| text.parse::<T>().err().map(|error| error.to_string())))
}

#[test]
fn schemas_of_texts_accept_what_their_parsers_accept() {
    let all = [
        schema_and_parser::<AddressLine>(),
        schema_and_parser::<CorrelationId>(),
        schema_and_parser::<CustomerId>(),
        schema_and_parser::<DeliveryId>(),
        schema_and_parser::<EmailAddress>(),
        schema_and_parser::<OrderId>(),
        schema_and_parser::<PaymentMethodId>(),
        schema_and_parser::<PersonName>(),
        schema_and_parser::<PostalCode>(),
        schema_and_parser::<ProductName>(),
        schema_and_parser::<Sku>(),
        (
            schema::<Currency>(),
            Box::new(|text: &str| Currency::try_from(text.to_owned()).err().map(|error| error.to_string()))
                as Parser,
        ),
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
        "[.]{1,3}[a-z]?",
        "[ \u{a0}\u{200b}\u{200d}\u{202e}\u{2028}\u{2800}\u{3164}\u{fe0f}\u{fffe}-]{1,3}[a]?",
    ];
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) };
    let result = proptest::test_runner::TestRunner::new(config).run(&texts, |text| {
        for (schema, parse) in &all {
            let error = parse(&text);
            let has_pattern =
                error.as_ref().is_none_or(|error| !TEXT_RULES.iter().any(|it| error.starts_with(it)));
            let is_valid = schema.is_valid(&json!(text));
            prop_assert!(!has_pattern || is_valid == error.is_none(), "{:?}: {:?}", text, error);
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
