//! The descriptions of the operations for the contract.

use domain::CustomerId;
use domain::money::{Amount, Currency};
use domain::order::OrderStatus;
use platform::http::OperationDescription;
use platform::http::input::{Cursor, Limit};

use crate::request::{DateOrTime, Words};
use crate::view::PageView;

pub(crate) fn describe_search(it: &mut OperationDescription) {
    it.about(
        "Search orders",
        "Returns the orders that match all words of `q`. The searchable fields are the order id, the \
         customer's id, name and e-mail address (the whole address, the local part, and the domain), the \
         total, and the SKUs and names of the products. A word of two or more characters matches by prefix; a \
         single character matches only a whole word. In scripts without spaces, such as those of Chinese, \
         Japanese and Thai, and in Korean, any part of a name matches. Case and accents are ignored, and so \
         are the variants of apostrophes, hyphens, and wide and narrow letters; parts joined by - . _ @ + or \
         ' are one word. A name is also found without its spaces and hyphens, or with others (`vanderberg`), \
         and a total in each form in which it is printed (`12.50`, `12.50 EUR`, `€12.50`, `1.234,50 \
         €`).\n\nResults are sorted by relevance. Fields rank in this order: order \
         id, e-mail address, customer id, customer name, total, SKU, product name. Within a field, an exact \
         match ranks before a prefix match. Orders of equal rank are sorted by time, newest first. Without \
         `q`, all orders are listed, newest first. The search is eventually consistent: a new or changed \
         order is usually found within a second.",
    )
    .query::<Words>("q", "The search words, at most 8.")
    .query::<OrderStatus>("status", "Only orders with this status.")
    .query::<DateOrTime>("from", "Only orders placed at or after this date (UTC) or time (RFC 3339).")
    .query::<DateOrTime>("to", "Only orders placed on or before this date (UTC), or before this time.")
    .query::<Amount>("min_amount", "The minimum total in minor units. Requires `currency`.")
    .query::<Amount>("max_amount", "The maximum total in minor units. Requires `currency`.")
    .query::<Currency>("currency", "Only orders in this currency.")
    .query::<CustomerId>(
        "customer_id",
        "Only orders of this customer. Customers can omit it: their searches return only their own orders.",
    )
    .query::<Limit>("limit", "The maximum number of orders on a page. The default is 20.")
    .query::<Cursor>("cursor", "The `next_cursor` of the previous page, with otherwise the same parameters.")
    .response::<PageView<'_>>(
        200,
        "A page of results. It can have fewer than `limit` hits even if more pages follow.",
    );
}
