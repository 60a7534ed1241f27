//! Uploads in DynamoDB: under a product, a row for each upload and one for its picture.

use anyhow::Context;
use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use domain::product::{Upload, UploadState};
use domain::{Sku, UploadId};
use jiff::SignedDuration;
use platform::config;
use serde::{Deserialize, Serialize};

use crate::store::Images;

/// How long an upload is remembered: longer than a message can come again, out of a queue and out of its dead letters, each
/// of which keeps it for 14 days. A product's picture is remembered for ever.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What the keys of uploads start with; the id follows, so that they sort by time.
const UPLOAD: &str = "upload#";
/// The key of the product's picture.
const CURRENT: &str = "current";

/// The table of uploads.
#[derive(Debug, Clone)]
pub struct DynamoDbImages {
    client: Client,
    table: String,
}

#[derive(Serialize, Deserialize)]
struct ImageItem {
    sku: Sku,
    item: String,
    upload_id: UploadId,
    status: String,
    record: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
}

impl ImageItem {
    fn of_upload(upload: &Upload) -> anyhow::Result<Self> {
        let expires_at = upload.requested_at.saturating_add(REMEMBERED_FOR)?.as_second();
        Ok(Self { expires_at: Some(expires_at), ..Self::new(upload, upload_key(upload.id))? })
    }

    fn new(upload: &Upload, item: String) -> anyhow::Result<Self> {
        let status = match upload.state {
            UploadState::Pending => PENDING,
            UploadState::Ready { .. } => "ready",
            UploadState::Rejected { .. } => "rejected",
        };
        Ok(Self {
            sku: upload.sku.clone(),
            item,
            upload_id: upload.id,
            status: status.to_owned(),
            record: serde_json::to_string(upload)?,
            expires_at: None,
        })
    }
}

const PENDING: &str = "pending";

fn upload_key(id: UploadId) -> String {
    format!("{UPLOAD}{id}")
}

fn read(item: std::collections::HashMap<String, AttributeValue>) -> anyhow::Result<Upload> {
    let item: ImageItem =
        serde_dynamo::from_item(item).context("a row of the images table is not understood")?;
    serde_json::from_str(&item.record).context("an upload in the table is not understood")
}

impl DynamoDbImages {
    /// The table in `IMAGES_TABLE`.
    ///
    /// # Errors
    /// When it is not set.
    pub fn from_env(client: Client) -> anyhow::Result<Self> {
        Ok(Self { client, table: config::required("IMAGES_TABLE")? })
    }

    async fn row(&self, sku: &Sku, item: String) -> anyhow::Result<Option<Upload>> {
        let get = self.client.get_item().table_name(&self.table).consistent_read(true);
        let answer = get
            .key("sku", AttributeValue::S(sku.to_string()))
            .key("item", AttributeValue::S(item))
            .send()
            .await
            .context("the upload could not be read")?;
        answer.item.map(read).transpose()
    }

    /// The upload's row, in place of the pending one.
    fn decided(&self, upload: &Upload) -> anyhow::Result<Put> {
        Ok(Put::builder()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::to_item(ImageItem::of_upload(upload)?)?))
            .condition_expression("#status = :pending")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pending", AttributeValue::S(PENDING.to_owned()))
            .build()?)
    }

    /// The picture's row, in place of an older one.
    fn shown(&self, upload: &Upload) -> anyhow::Result<Put> {
        Ok(Put::builder()
            .table_name(&self.table)
            .set_item(Some(serde_dynamo::to_item(ImageItem::new(upload, CURRENT.to_owned())?)?))
            .condition_expression("attribute_not_exists(upload_id) OR upload_id < :id")
            .expression_attribute_values(":id", AttributeValue::S(upload.id.to_string()))
            .build()?)
    }

    /// Writes all of them or none: gives back which were refused by their condition.
    async fn write(&self, puts: Vec<Put>) -> anyhow::Result<Result<(), Vec<bool>>> {
        let items = puts.into_iter().map(|put| TransactWriteItem::builder().put(put).build()).collect();
        let answer = self.client.transact_write_items().set_transact_items(Some(items)).send().await;
        let cancelled = match answer.map_err(SdkError::into_service_error) {
            Ok(_) => return Ok(Ok(())),
            Err(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled,
            Err(error) => return Err(anyhow::Error::new(error).context("the upload could not be written")),
        };
        let refused: Vec<bool> = cancelled
            .cancellation_reasons()
            .iter()
            .map(|reason| reason.code() == Some("ConditionalCheckFailed"))
            .collect();
        if refused.contains(&true) {
            return Ok(Err(refused));
        }
        Err(anyhow::Error::new(cancelled).context("the upload met other writes"))
    }
}

#[async_trait]
impl Images for DynamoDbImages {
    async fn ask(&self, upload: &Upload) -> anyhow::Result<()> {
        let item = serde_dynamo::to_item(ImageItem::of_upload(upload)?)?;
        let put = self.client.put_item().table_name(&self.table).set_item(Some(item));
        // A retry of the SDK may come after the upload was decided.
        match put.condition_expression("attribute_not_exists(sku)").send().await {
            Ok(_) => Ok(()),
            Err(error) => match error.into_service_error() {
                error if error.is_conditional_check_failed_exception() => Ok(()),
                error => Err(anyhow::Error::new(error).context("the upload could not be noted down")),
            },
        }
    }

    async fn get(&self, sku: &Sku, id: UploadId) -> anyhow::Result<Option<Upload>> {
        self.row(sku, upload_key(id)).await
    }

    async fn newest(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        let query = self.client.query().table_name(&self.table).consistent_read(true);
        let answer = query
            .key_condition_expression("sku = :sku AND begins_with(#item, :upload)")
            .expression_attribute_names("#item", "item")
            .expression_attribute_values(":sku", AttributeValue::S(sku.to_string()))
            .expression_attribute_values(":upload", AttributeValue::S(UPLOAD.to_owned()))
            .scan_index_forward(false)
            .limit(1)
            .send()
            .await
            .context("the uploads could not be read")?;
        answer.items.unwrap_or_default().into_iter().next().map(read).transpose()
    }

    async fn current(&self, sku: &Sku) -> anyhow::Result<Option<Upload>> {
        self.row(sku, CURRENT.to_owned()).await
    }

    async fn decide(&self, decided: &Upload) -> anyhow::Result<Upload> {
        let mut puts = vec![self.decided(decided)?];
        if decided.replaces(None) {
            puts.push(self.shown(decided)?);
        }
        let mut written = self.write(puts).await?;
        // The product has a newer picture: this one is ready, and never shown.
        if matches!(written.as_ref(), Err(refused) if refused.first() == Some(&false)) {
            written = self.write(vec![self.decided(decided)?]).await?;
        }
        match written {
            Ok(()) => Ok(decided.clone()),
            Err(_) => self.get(&decided.sku, decided.id).await?.context("the upload is gone"),
        }
    }
}
