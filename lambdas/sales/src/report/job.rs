//! `daily-report`: creates the report of the previous day, or of the requested one.

use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use platform::Clock;
use platform::host::schedule::Job;
use platform::objects::{Object, ObjectStore, read_to_end};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ReportFile;
use super::day::LocalDay;
use super::figures::Figures;
use super::link::LinkSigner;
use super::mail::{MailLinks, compose};
use super::store::Mailer;
use super::{page, table};
use crate::ledger::booking::Booking;
use crate::ledger::read::Reader;
use crate::ledger::store::LedgerTable;

/// Creates the report of a day.
#[expect(missing_docs, reason = "the fields say it")]
pub struct DailyReport {
    /// The bookings in the sales ledger.
    pub bookings: Arc<dyn LedgerTable<Booking>>,
    /// The bucket of the reports.
    pub files: Arc<dyn ObjectStore>,
    /// The email settings. `None` if no email is sent.
    pub mail: Option<MailSettings>,
    pub clock: Arc<dyn Clock>,
    /// The time zone of the shop.
    pub zone: TimeZone,
    /// The name of the shop.
    pub shop: String,
}

/// The settings for the email about a report.
#[expect(missing_docs, reason = "the fields say it")]
pub struct MailSettings {
    pub mailer: Arc<dyn Mailer>,
    /// Signs the links in the email.
    pub links: LinkSigner,
    /// The base URL of the API, without a trailing slash.
    pub api_url: String,
}

/// The input of a manual invocation.
#[derive(Debug, Default, Deserialize)]
struct Input {
    /// The day to report, instead of the previous day.
    day: Option<Date>,
}

/// The record of the last email about a day.
#[derive(Debug, Serialize, Deserialize)]
struct MailRecord {
    /// A hash of the figures.
    #[serde(rename = "figures")]
    hash: String,
}

#[async_trait]
impl Job for DailyReport {
    async fn run(&self, input: Value) -> anyhow::Result<Value> {
        // The schedule sends an object of its own or null.
        let input: Option<Input> = serde_json::from_value(input).context("the input cannot be parsed")?;
        let now = self.clock.now();
        let day = match input.unwrap_or_default().day {
            Some(date) => LocalDay::new(date, self.zone.clone())?,
            None => LocalDay::yesterday(now, self.zone.clone())?,
        };
        anyhow::ensure!(day.end <= now, "{} is not over yet in the shop's time zone", day.date);
        let mut figures = Figures::new(&day);
        let mut reader = Reader::new(self.bookings.as_ref(), day.start, day.end);
        let mut bookings: u64 = 0;
        while let Some(booking) = reader.next().await? {
            figures.add(&booking);
            bookings += 1;
        }
        let table = table::render(&figures);
        let page = page::render(&self.shop, &day, &self.zone, &figures, now)?;
        // The hash covers all figures, including unpaid orders, which the table does not contain. It is
        // derived from the `Debug` output: if that changes, running an old day again sends a "Corrected"
        // email.
        let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(format!("{figures:?}")));
        self.write(ReportFile::Csv, day.date, "text/csv; charset=utf-8", table).await?;
        self.write(ReportFile::Page, day.date, "text/html; charset=utf-8", page.into()).await?;
        let mailed = match &self.mail {
            Some(settings) => self.send_mail(settings, &day, &figures, hash).await?,
            None => false,
        };
        Ok(json!({ "day": day.date, "bookings": bookings, "mailed": mailed }))
    }
}

impl DailyReport {
    async fn write(
        &self,
        file: ReportFile,
        day: Date,
        content_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<()> {
        let content_type = content_type.to_owned();
        self.files.write(Object { key: file.key(day), content_type, body: body.into() }).await
    }

    /// Sends an email, unless the last one about this day had the same figures. Two concurrent runs may both
    /// send one.
    async fn send_mail(
        &self,
        settings: &MailSettings,
        day: &LocalDay,
        figures: &Figures,
        hash: String,
    ) -> anyhow::Result<bool> {
        let key = format!("reports/{}/mailed.json", day.date);
        let previous: Option<MailRecord> = match self.files.read(&key, 0, None).await? {
            Some(object) => {
                read_to_end(object, 1024).await?.and_then(|json| serde_json::from_slice(&json).ok())
            }
            None => None,
        };
        if previous.as_ref().is_some_and(|previous| previous.hash == hash) {
            return Ok(false);
        }
        let link = async |file| {
            let path = settings.links.sign(day.date, file).await?;
            anyhow::Ok(format!("{}{path}", settings.api_url))
        };
        let links = MailLinks { page: link(ReportFile::Page).await?, csv: link(ReportFile::Csv).await? };
        settings.mailer.send(&compose(&self.shop, day, figures, &links, previous.is_some())).await?;
        let body = serde_json::to_vec(&MailRecord { hash })?.into();
        self.files.write(Object { key, content_type: "application/json".to_owned(), body }).await?;
        Ok(true)
    }
}
