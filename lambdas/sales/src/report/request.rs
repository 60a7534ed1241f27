//! The parameters of the API.

use schemars::JsonSchema;

/// The schema of a day.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Day(
    #[schemars(extend("pattern" = r"^\d{4}-\d{2}-\d{2}$"))]
    #[expect(dead_code, reason = "a schema")]
    String,
);

/// The schema of `until`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Until(
    #[schemars(range(min = 0))]
    #[expect(dead_code, reason = "a schema")]
    i64,
);

/// The schema of `signature`.
#[derive(JsonSchema)]
#[schemars(inline)]
pub(crate) struct Signature(
    #[schemars(length(min = 43, max = 43), regex(pattern = r"^[A-Za-z0-9_-]+$"))]
    #[expect(dead_code, reason = "a schema")]
    String,
);
