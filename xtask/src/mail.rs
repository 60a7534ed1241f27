//! The mails that the local stack's SES sent: the emulator keeps them to be read back.

use std::collections::BTreeMap;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use crate::http::Http;

/// Everything that was sent.
pub(crate) struct Mailbox {
    http: Http,
    url: String,
}

/// One mail.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Mail {
    #[serde(rename = "MessageId")]
    pub(crate) id: String,
    pub(crate) to: Vec<String>,
    pub(crate) subject: String,
    /// The text part.
    #[serde(rename = "BodyText")]
    pub(crate) text: String,
    /// When it was sent, in seconds since 1970.
    #[serde(rename = "Timestamp")]
    sent: f64,
}

/// The emulator's answer: the mails of each account.
#[derive(Deserialize)]
struct Messages {
    messages: BTreeMap<String, Vec<Mail>>,
}

impl Mailbox {
    /// The mails of the emulator at that endpoint.
    pub(crate) fn at(endpoint: &str) -> Self {
        Self { http: Http::new(), url: format!("{endpoint}/_ministack/ses/messages") }
    }

    /// The mails that `address` got or that name the order, the oldest first.
    pub(crate) fn about(&self, order_id: &str, address: Option<&str>) -> anyhow::Result<Vec<Mail>> {
        let answer = self.http.get(&self.url)?.success("reading the mails of the local stack")?;
        let about = |mail: &Mail| {
            let to_customer = address.is_some_and(|address| mail.to.iter().any(|to| to.contains(address)));
            to_customer || mail.subject.contains(order_id) || mail.text.contains(order_id)
        };
        Ok(read(answer)?.into_iter().filter(about).collect())
    }
}

impl Mail {
    /// When it was sent.
    pub(crate) fn sent(&self) -> Timestamp {
        SignedDuration::try_from_secs_f64(self.sent)
            .ok()
            .and_then(|since_epoch| Timestamp::UNIX_EPOCH.checked_add(since_epoch).ok())
            .unwrap_or_default()
    }
}

fn read(answer: Value) -> anyhow::Result<Vec<Mail>> {
    let messages: Messages =
        serde_json::from_value(answer).context("the emulator's list of mails is not as expected")?;
    let mut mails: Vec<Mail> = messages.messages.into_values().flatten().collect();
    mails.sort_by(|one, other| one.sent.total_cmp(&other.sent));
    Ok(mails)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mails_of_all_accounts_are_read_the_oldest_first() {
        let mail = |id, sent| {
            json!({ "MessageId": id, "Source": "shop@example.com", "To": ["ada@example.com"], "CC": [],
                    "Subject": "Thank you", "BodyText": "Order 42", "BodyHtml": null, "Timestamp": sent })
        };
        let answer =
            json!({ "messages": { "000000000000": [mail("2", 2.5)], "111111111111": [mail("1", 1.0)] } });
        let mails = read(answer).unwrap();
        assert_eq!(mails.iter().map(|mail| mail.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(mails[1].sent().as_millisecond(), 2500);
    }
}
