//! Attribute values and conditional writes of DynamoDB.

use std::collections::HashMap;

use anyhow::Context;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use platform::redact_values;
use serde::de::DeserializeOwned;

/// A value of the type String.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A value of the type Number.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Parses the JSON in the attribute `name` of an item.
///
/// # Errors
/// When the item has no such text, or it cannot be parsed. The message contains no value of the item.
pub fn parse_json<T: DeserializeOwned>(
    item: &HashMap<String, AttributeValue>,
    name: &str,
) -> anyhow::Result<T> {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    let text = text.with_context(|| format!("an item has no text attribute {name}"))?;
    serde_json::from_str(text).map_err(|error| {
        let reason = redact_values(&error.to_string());
        anyhow::anyhow!("the attribute {name} of an item cannot be parsed: {reason}")
    })
}

/// The `Limit` of a request that reads a page of `size` items: one more than the page, because DynamoDB
/// returns a `LastEvaluatedKey` for a full page even if no item follows it
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.Pagination.html>).
pub fn page_limit(size: u32) -> i32 {
    i32::try_from(size.saturating_add(1)).unwrap_or(i32::MAX)
}

/// Removes from `items`, which were read with [`page_limit`], what does not belong to the page. Returns
/// whether items follow the page; `is_incomplete` is whether the response has a `LastEvaluatedKey`, because it
/// has reached 1 MB.
pub fn cut_to_page<T>(items: &mut Vec<T>, size: u32, is_incomplete: bool) -> bool {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let has_more = is_incomplete || items.len() > size;
    items.truncate(size);
    has_more
}

/// Sends a conditional write. Returns false if nothing was written because its condition was not met, or because
/// a transaction is changing the item at this moment
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>).
///
/// # Errors
/// When the call fails for any other reason.
pub async fn put_if(put: PutItemFluentBuilder) -> anyhow::Result<bool> {
    match put.send().await.map_err(SdkError::into_service_error) {
        Ok(_) => Ok(true),
        Err(error)
            if error.is_conditional_check_failed_exception() || error.is_transaction_conflict_exception() =>
        {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_cannot_be_parsed_is_not_repeated_in_the_error() {
        let item = HashMap::from([
            ("count".to_owned(), text("7")),
            ("name".to_owned(), text("\"Ada\"")),
            ("version".to_owned(), number(7)),
        ]);
        assert_eq!(parse_json::<u8>(&item, "count").unwrap(), 7);
        for (name, why) in [("name", "cannot be parsed"), ("version", "no text"), ("missing", "no text")] {
            let error = format!("{:#}", parse_json::<u8>(&item, name).unwrap_err());
            assert!(error.contains(name) && error.contains(why) && !error.contains("Ada"), "{error}");
        }
    }

    #[test]
    fn only_an_item_behind_the_page_shows_that_more_follow() {
        let cut = |read: u32, size: u32, is_incomplete: bool| {
            let mut items: Vec<u32> = (0..read).collect();
            let has_more = cut_to_page(&mut items, size, is_incomplete);
            (items.len(), has_more)
        };
        assert_eq!(cut(2, 3, false), (2, false));
        assert_eq!(cut(3, 3, false), (3, false));
        assert_eq!(cut(4, 3, true), (3, true));
        assert_eq!(cut(2, 3, true), (2, true), "the items of the page are large");
        assert_eq!((page_limit(100), page_limit(u32::MAX)), (101, i32::MAX));
    }
}
