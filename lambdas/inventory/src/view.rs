//! The response bodies of the API.

use schemars::JsonSchema;
use serde::Serialize;

use crate::product::Product;

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ProductPage")]
pub(crate) struct ListView {
    /// The products, in no particular order.
    pub(crate) products: Vec<Product>,
    /// The cursor of the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
}
