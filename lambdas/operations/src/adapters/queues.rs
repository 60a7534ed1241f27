//! The queues of the stack: their depth from SQS, and the age of their messages from CloudWatch.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_trait::async_trait;
use aws::Aws;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::DateTime;
use futures::future::join_all;
use jiff::SignedDuration;
use platform::{Clock, config};
use std::sync::Arc;

use crate::store::{Depth, Queues, is_dead_letter_queue};

/// SQS reports the age to CloudWatch each minute, and the data is available a few minutes later.
const LOOKBACK: Duration = Duration::from_secs(600);

/// The queues that are listed in `QUEUES`.
pub struct SqsQueues {
    sqs: aws_sdk_sqs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    clock: Arc<dyn Clock>,
    /// The URL of a queue without its name.
    base: String,
    names: Vec<String>,
}

impl SqsQueues {
    /// The queues in `QUEUES`, whose names are separated by spaces. Their URLs have the same base as
    /// `DEAD_LETTER_QUEUE_URL`.
    ///
    /// # Errors
    /// When one of the variables is not set.
    pub fn from_env(aws: &Aws, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let dead_letter_queue = config::required("DEAD_LETTER_QUEUE_URL")?;
        // `sam local invoke` without variables sets no URL, but a name: the first call fails then, and says so.
        let (base, _) = dead_letter_queue.rsplit_once('/').unwrap_or_default();
        Ok(Self {
            sqs: aws_sdk_sqs::Client::new(aws.sdk_config()),
            cloudwatch: aws_sdk_cloudwatch::Client::new(aws.sdk_config()),
            clock,
            base: base.to_owned(),
            // Nor does it resolve a list: the checks of the queues fail then.
            names: config::optional("QUEUES", String::new())?.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// The names of the queues; at least one.
    fn names(&self) -> anyhow::Result<&[String]> {
        ensure!(!self.names.is_empty(), "the environment variable QUEUES is not set: template.yaml sets it");
        Ok(&self.names)
    }

    async fn depth(&self, name: &str) -> anyhow::Result<Depth> {
        let attributes = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let url = format!("{}/{name}", self.base);
        let request =
            self.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(attributes.to_vec()));
        let response = request.send().await.context("GetQueueAttributes failed")?;
        let [waiting, delayed, in_flight] = attributes.map(|attribute| {
            let value = response.attributes().and_then(|all| all.get(&attribute));
            value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_default()
        });
        Ok(Depth { waiting: waiting.saturating_add(delayed), in_flight })
    }
}

/// Returns the logical id in the template: CloudFormation names a queue `<stack>-<logical id>-<random>`,
/// where only `<stack>` may contain hyphens.
fn logical_id(name: &str) -> String {
    name.rsplit('-').nth(1).unwrap_or(name).to_owned()
}

/// The queues whose messages may be late. CloudWatch charges for each metric that is read.
fn source_queues(names: &[String]) -> Vec<&str> {
    let names = names.iter().map(String::as_str);
    names.filter(|name| !is_dead_letter_queue(&logical_id(name))).collect()
}

#[async_trait]
impl Queues for SqsQueues {
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>> {
        let names = match self.names() {
            Ok(names) => names,
            Err(error) => return BTreeMap::from([("QUEUES".to_owned(), Err(error))]),
        };
        let depths = join_all(names.iter().map(|name| self.depth(name))).await;
        names.iter().map(|name| logical_id(name)).zip(depths).collect()
    }

    async fn oldest_message_ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>> {
        let now = self.clock.now();
        let start = now - LOOKBACK;
        let mut request = self
            .cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(start.as_second()))
            .end_time(DateTime::from_secs(now.as_second()));
        let names = source_queues(self.names()?);
        for (index, name) in names.iter().enumerate() {
            let metric = Metric::builder()
                .namespace("AWS/SQS")
                .metric_name("ApproximateAgeOfOldestMessage")
                .dimensions(Dimension::builder().name("QueueName").value(*name).build())
                .build();
            let stat = MetricStat::builder().metric(metric).period(60).stat("Maximum").build();
            request = request.metric_data_queries(
                MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat).build(),
            );
        }
        let response = request.send().await.context("GetMetricData failed")?;
        let age = |result: &aws_sdk_cloudwatch::types::MetricDataResult| {
            let index: usize = result.id()?.strip_prefix('q')?.parse().ok()?;
            // The newest value is the first one. It is a whole number of seconds.
            let seconds = SignedDuration::try_from_secs_f64(*result.values().first()?).ok()?;
            Some((logical_id(names.get(index)?), seconds))
        };
        Ok(response.metric_data_results().iter().filter_map(age).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_are_identified_by_logical_id() {
        assert_eq!(logical_id("serverless-orders-TrackOrderQueue-A1B2C3"), "TrackOrderQueue");
        assert_eq!(logical_id("queue"), "queue");
    }

    #[test]
    fn the_ages_of_dead_letters_are_not_read() {
        let names = ["shop-TrackOrderQueue-A1", "shop-TrackOrderDeadLetters-B2"].map(str::to_owned);
        assert_eq!(source_queues(&names), ["shop-TrackOrderQueue-A1"]);
    }
}
