//! `daily-report`: reports the sales of the previous day every morning.

use std::sync::Arc;

use aws::Aws;
use aws_objects::Bucket;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};
use sales::adapters::{DynamoDbLedger, SesMailer, StoredLinkSecret};
use sales::report::job::{DailyReport, MailSettings};
use sales::report::link::LinkSigner;
use sales::report::store::Mailer;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let mail = match SesMailer::from_env(&aws)? {
        Some(mailer) => Some(MailSettings {
            mailer: Arc::new(mailer) as Arc<dyn Mailer>,
            links: LinkSigner::new(Arc::new(StoredLinkSecret::from_env(&aws)?), Arc::new(SystemClock)),
            api_url: config::required("API_URL")?,
        }),
        None => None,
    };
    let job = DailyReport {
        bookings: Arc::new(DynamoDbLedger::from_env(aws.dynamodb())?),
        files: Arc::new(Bucket::new(aws.sdk_config(), config::required("DOCUMENTS_BUCKET")?)),
        mail,
        clock: Arc::new(SystemClock),
        zone: config::time_zone("SHOP_TIME_ZONE")?,
        shop: config::optional("SHOP_NAME", "The shop".to_owned())?,
    };
    host::schedule::run(job).await
}
