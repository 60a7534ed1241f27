//! Emails that the local stack sent with SES, which the emulator stores.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value, json};

use crate::http::Http;

/// The emails of a local stack.
pub struct Mailbox {
    http: Http,
    url: String,
}

/// An email in the mailbox of the emulator.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Mail {
    #[serde(rename = "MessageId")]
    pub id: String,
    pub to: Vec<String>,
    pub subject: String,
    /// The text part.
    #[serde(rename = "BodyText")]
    pub text: String,
    /// The time of sending, in seconds since 1970.
    #[serde(rename = "Timestamp")]
    sent: f64,
}

/// The emulator's response: emails by account.
#[derive(Deserialize)]
struct Messages {
    messages: BTreeMap<String, Vec<Mail>>,
}

impl Mailbox {
    /// The emails of the emulator at this endpoint.
    pub fn new(endpoint: &str) -> Self {
        Self { http: Http::default(), url: format!("{endpoint}/_ministack/ses/messages") }
    }

    /// The emails to `address`, and those that contain the order id, the oldest first.
    pub fn for_order(&self, order_id: &str, address: Option<&str>) -> anyhow::Result<Vec<Mail>> {
        let response = self.http.get(&self.url)?.success("reading the emails of the local stack")?;
        let about = |mail: &Mail| {
            let to_customer = address.is_some_and(|address| mail.to.iter().any(|to| to.contains(address)));
            to_customer || mail.subject.contains(order_id) || mail.text.contains(order_id)
        };
        Ok(parse(response)?.into_iter().filter(about).collect())
    }
}

/// Its time, recipients and subject: a report on an order does not need the text.
impl Serialize for Mail {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        json!({ "at": self.sent(), "to": self.to, "subject": self.subject }).serialize(serializer)
    }
}

impl Mail {
    /// The time of sending.
    pub fn sent(&self) -> Timestamp {
        SignedDuration::try_from_secs_f64(self.sent)
            .ok()
            .and_then(|since_epoch| Timestamp::UNIX_EPOCH.checked_add(since_epoch).ok())
            .unwrap_or_default()
    }
}

fn parse(response: Value) -> anyhow::Result<Vec<Mail>> {
    let messages: Messages =
        serde_json::from_value(response).context("unexpected list of emails from the emulator")?;
    let mut mails: Vec<Mail> = messages.messages.into_values().flatten().collect();
    mails.sort_by(|one, other| one.sent.total_cmp(&other.sent));
    Ok(mails)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails_of_all_accounts_are_read_the_oldest_first() {
        let mail = |id, sent| {
            json!({ "MessageId": id, "Source": "shop@example.com", "To": ["ada@example.com"], "CC": [],
                    "Subject": "Thank you", "BodyText": "Order 42", "BodyHtml": null, "Timestamp": sent })
        };
        let response =
            json!({ "messages": { "000000000000": [mail("2", 2.5)], "111111111111": [mail("1", 1.0)] } });
        let mails = parse(response).unwrap();
        assert_eq!(mails.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(mails[1].sent().as_millisecond(), 2500);
    }
}
