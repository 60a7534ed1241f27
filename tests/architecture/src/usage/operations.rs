//! The operations of the SDK that adapters call, and the permissions that they require.

/// Operations of the SDK, and the IAM actions that they require. A transaction requires the actions of its items
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html>), and so do the steps
/// of a multipart upload (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>).
const OPERATIONS: &[(&str, &[&str])] = &[
    ("get_item", &["dynamodb:GetItem"]),
    ("put_item", &["dynamodb:PutItem"]),
    ("update_item", &["dynamodb:UpdateItem"]),
    ("delete_item", &["dynamodb:DeleteItem"]),
    ("query", &["dynamodb:Query"]),
    ("scan", &["dynamodb:Scan"]),
    ("batch_get_item", &["dynamodb:BatchGetItem"]),
    ("batch_write_item", &["dynamodb:BatchWriteItem"]),
    ("transact_write_items", &[]),
    ("TransactWriteItem::put", &["dynamodb:PutItem"]),
    ("TransactWriteItem::update", &["dynamodb:UpdateItem"]),
    ("TransactWriteItem::delete", &["dynamodb:DeleteItem"]),
    ("TransactWriteItem::condition_check", &["dynamodb:ConditionCheckItem"]),
    ("get_object", &["s3:GetObject"]),
    ("head_object", &["s3:GetObject"]),
    (OBJECT_VERSION, &["s3:GetObjectVersion"]),
    ("put_object", &["s3:PutObject"]),
    ("delete_object", &["s3:DeleteObject"]),
    ("create_multipart_upload", &["s3:PutObject"]),
    ("upload_part", &["s3:PutObject"]),
    ("complete_multipart_upload", &["s3:PutObject"]),
    ("abort_multipart_upload", &["s3:AbortMultipartUpload"]),
    (PRESIGNED_POST, &["s3:PutObject"]),
    ("send_message", &["sqs:SendMessage"]),
    ("change_message_visibility", &["sqs:ChangeMessageVisibility"]),
    ("get_queue_attributes", &["sqs:GetQueueAttributes"]),
    ("put_events", &["events:PutEvents"]),
    ("get_secret_value", &["secretsmanager:GetSecretValue"]),
    ("send_email", &["ses:SendEmail"]),
    ("get_metric_data", &["cloudwatch:GetMetricData"]),
    (SIGNED_REQUEST, &["execute-api:Invoke"]),
];

/// Requests a version of an object.
const OBJECT_VERSION: &str = ".set_version_id(";
/// Signs a form with which a client uploads a file (presigned POST), which the SDK does not support.
const PRESIGNED_POST: &str = "generate_signing_key(";
/// Signs requests to the gateway.
const SIGNED_REQUEST: &str = "aws.signed_client(\"execute-api\"";
/// Calls that count as operations on any receiver.
pub(super) const ANY_RECEIVER: &[&str] = &[OBJECT_VERSION, PRESIGNED_POST, SIGNED_REQUEST];

/// The IAM actions that an operation of [`OPERATIONS`] requires.
pub(super) fn actions_of(operation: &str) -> Option<&'static [&'static str]> {
    OPERATIONS.iter().find(|(name, _)| *name == operation).map(|(_, actions)| *actions)
}
