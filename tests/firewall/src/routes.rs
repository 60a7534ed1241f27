//! The operations of the contract.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::request::Request;

/// An operation of `docs/openapi.json`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// The HTTP method, in upper case.
    pub method: String,
    /// The path with its parameters in braces: `/orders/{order_id}`.
    pub path: String,
}

/// A valid value for each path parameter.
const EXAMPLES: [(&str, &str); 9] = [
    ("day", "2026-11-27"),
    ("delivery_id", "delivery-7.1"),
    ("event_id", "6f9619ff-8b86-5d11-b42d-00c04fc964ff"),
    ("export_id", "01937a5e-7c1d-7e02-9c0a-3f1b8d2e4a55"),
    ("file", "csv"),
    ("order_id", "01937a5e-7c1d-7e02-9c0a-3f1b8d2e4a55"),
    ("sku", "TEA-001"),
    ("webhook_id", "01937a5e-7c1d-7e02-9c0a-3f1b8d2e4a55"),
    ("upload_id", "01937a5e-7c1d-7e02-9c0a-3f1b8d2e4a55"),
];

/// Returns all operations of a contract.
///
/// # Errors
/// When the contract has no paths.
pub fn from_contract(contract: &Value) -> Result<Vec<Route>> {
    let paths = contract.get("paths").and_then(Value::as_object).context("the contract has no paths")?;
    let mut all = Vec::new();
    for (path, operations) in paths {
        let methods = operations.as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase());
        let known =
            methods.filter(|method| ["GET", "PUT", "POST", "DELETE", "PATCH"].contains(&method.as_str()));
        all.extend(known.map(|method| Route { method, path: path.clone() }));
    }
    Ok(all)
}

impl Route {
    /// Returns a legitimate request for the route.
    ///
    /// # Errors
    /// When a path parameter has no example.
    pub fn example_request(&self) -> Result<Request> {
        let mut path = format!("/v1{}", self.path);
        for (name, value) in EXAMPLES {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        anyhow::ensure!(
            !path.contains('{'),
            "{path} has a parameter without an example in `routes::EXAMPLES`"
        );
        Ok(Request::new(&self.method, &path).with_header("user-agent", "shop/1.0"))
    }

    /// Returns whether a request is for this route. A literal segment of the contract does not match a path
    /// parameter.
    pub fn matches(&self, request: &Request) -> bool {
        let path = request.path.strip_prefix("/v1").unwrap_or(&request.path);
        let (ours, theirs) = (self.path.split('/'), path.split('/'));
        self.method == request.method
            && ours.clone().count() == theirs.clone().count()
            && ours
                .zip(theirs)
                .all(|(ours, theirs)| ours == theirs || (ours.starts_with('{') && theirs != "stripe"))
    }
}
