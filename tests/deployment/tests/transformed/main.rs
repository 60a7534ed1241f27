//! Tests of the template of the repository as it is deployed.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a panic in a helper fails the test")]

mod gateway;
mod stack;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

use deployment::{Deployed, Parameters, environment, production, transform};

/// The deployments under test, by name.
fn cases() -> &'static BTreeMap<String, Deployed> {
    static CASES: OnceLock<BTreeMap<String, Deployed>> = OnceLock::new();
    CASES.get_or_init(|| {
        let with = |mut parameters: Parameters, name: &str, value: &str| {
            parameters.insert(name.to_owned(), value.to_owned());
            parameters
        };
        let production = production().unwrap();
        let origins = "https://shop.test,https://outlet.test";
        let parameters = BTreeMap::from([
            ("local", environment("local").unwrap()),
            ("staging", environment("staging").unwrap()),
            ("production", with(production.clone(), "AllowedOrigins", origins)),
            ("container", with(production, "OrdersServiceUrl", "https://orders.shop.test")),
        ]);
        let transformed = transform(&parameters).unwrap_or_else(|error| panic!("{error:#}"));
        let apply = |(name, template): (String, Value)| {
            let deployed = Deployed::new(template, &parameters[name.as_str()]).unwrap();
            (name, deployed)
        };
        transformed.into_iter().map(apply).collect()
    })
}
