//! Mails to customers: read from the emulator's mailbox, or detected by the records of `send-email`.

use anyhow::Context;
use aws_sdk_dynamodb::types::AttributeValue;
use bytes::Bytes;
use http::Method;
use platform::http_client::HttpClient;
use serde_json::Value;

use crate::stack::{ApiResponse, Stack};
use crate::{WAIT_TIMEOUT, wait_for};

impl Stack {
    /// Returns all mails to an address.
    ///
    /// # Errors
    /// When there is no mailbox, or it cannot be read.
    pub async fn mails(&self, address: &str) -> anyhow::Result<Vec<Value>> {
        let emulator = self.emulator.as_deref().context("only the local stack has a mailbox")?;
        let request = self.request(Method::GET, emulator, "/_ministack/ses/messages", &[], Bytes::new())?;
        let all = ApiResponse::read(self.client.send(request).await?)?.body;
        let mut found = Vec::new();
        collect(&all, address, &mut found);
        Ok(found)
    }

    /// Waits for the first mail to an address, and returns its subject and text.
    pub async fn wait_for_mail(&self, address: &str) -> (String, String) {
        let mail = wait_for(&format!("a mail to {address}"), WAIT_TIMEOUT, async || {
            Ok(self.mails(address).await?.pop())
        })
        .await;
        let text = |name: &str| mail[name].as_str().unwrap_or_default().to_owned();
        (text("Subject"), text("BodyText"))
    }

    /// Waits until the mail of this kind about an order is sent. Returns its subject and text if the stack
    /// has a mailbox.
    pub async fn wait_for_mail_about(
        &self,
        order: &str,
        kind: &str,
        address: &str,
    ) -> Option<(String, String)> {
        wait_for(&format!("the {kind} mail about order {order}"), WAIT_TIMEOUT, async || {
            Ok(self.was_sent(order, kind).await?.then_some(()))
        })
        .await;
        match self.emulator {
            Some(_) => Some(self.wait_for_mail(address).await),
            None => None,
        }
    }

    /// Returns whether SES accepted the mail of this kind about an order: its claim is completed.
    async fn was_sent(&self, order: &str, kind: &str) -> anyhow::Result<bool> {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let get = self.aws.dynamodb().get_item().table_name(self.output("EmailsTableName")?);
        let get = get.key("subject", text(order)).key("effect", text(kind)).consistent_read(true);
        let item = get.send().await?.item.unwrap_or_default();
        let Some(Ok(claim)) = item.get("claim").map(AttributeValue::as_s) else { return Ok(false) };
        Ok(serde_json::from_str::<Value>(claim)?["status"] == "completed")
    }
}

/// Collects the messages to an address. The mailbox is a tree of accounts and messages; a message has a `To`
/// field.
fn collect(tree: &Value, address: &str, found: &mut Vec<Value>) {
    match tree {
        Value::Array(list) => list.iter().for_each(|item| collect(item, address, found)),
        Value::Object(fields) if fields.get("To").is_some_and(|to| to.to_string().contains(address)) => {
            found.push(tree.clone());
        }
        Value::Object(fields) => fields.values().for_each(|item| collect(item, address, found)),
        _ => {}
    }
}
