//! Attribute values and conditional writes of DynamoDB.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;

/// A value of the type String.
pub fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A value of the type Number.
pub fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
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
