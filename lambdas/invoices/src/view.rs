//! The response bodies of the API.

use schemars::JsonSchema;

/// The schema of a document.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Document(#[expect(dead_code, reason = "a schema")] String);
