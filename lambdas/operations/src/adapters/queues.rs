//! The stack's queues: what is in them from SQS, how old it is from CloudWatch.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use aws::Aws;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_types::DateTime;
use futures::future::join_all;
use jiff::SignedDuration;
use platform::{Clock, config};
use std::sync::Arc;

use crate::store::{Depth, Queues};

/// SQS tells CloudWatch the age each minute, and that takes a few minutes to be seen.
const LOOKED_BACK: Duration = Duration::from_secs(600);

/// The queues that `QUEUES` names.
pub struct SqsQueues {
    sqs: aws_sdk_sqs::Client,
    cloudwatch: aws_sdk_cloudwatch::Client,
    clock: Arc<dyn Clock>,
    /// The start of a queue's URL, up to its name.
    base: String,
    names: Vec<String>,
}

impl SqsQueues {
    /// The queues in `QUEUES`, with blanks between their names. Their URLs begin as that in `DEAD_LETTER_QUEUE_URL`
    /// does.
    ///
    /// # Errors
    /// When one is not set.
    pub fn from_env(aws: &Aws, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let one = config::required("DEAD_LETTER_QUEUE_URL")?;
        let (base, _) = one.rsplit_once('/').context("DEAD_LETTER_QUEUE_URL is no URL")?;
        Ok(Self {
            sqs: aws_sdk_sqs::Client::new(aws.sdk_config()),
            cloudwatch: aws_sdk_cloudwatch::Client::new(aws.sdk_config()),
            clock,
            base: base.to_owned(),
            names: config::required("QUEUES")?.split_whitespace().map(str::to_owned).collect(),
        })
    }

    async fn depth(&self, name: &str) -> anyhow::Result<Depth> {
        let wanted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let url = format!("{}/{name}", self.base);
        let ask = self.sqs.get_queue_attributes().queue_url(url).set_attribute_names(Some(wanted.to_vec()));
        let answer = ask.send().await.context("GetQueueAttributes failed")?;
        let [waiting, delayed, in_flight] = wanted.map(|attribute| {
            let value = answer.attributes().and_then(|all| all.get(&attribute));
            value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_default()
        });
        Ok(Depth { waiting: waiting.saturating_add(delayed), in_flight })
    }
}

/// The name in the template: CloudFormation makes `<stack>-<name>-<random>` of it, where `<stack>` may have hyphens and
/// the other two have none.
fn logical(name: &str) -> String {
    name.rsplit('-').nth(1).unwrap_or(name).to_owned()
}

#[async_trait]
impl Queues for SqsQueues {
    async fn depths(&self) -> BTreeMap<String, anyhow::Result<Depth>> {
        let depths = join_all(self.names.iter().map(|name| self.depth(name))).await;
        self.names.iter().map(|name| logical(name)).zip(depths).collect()
    }

    async fn ages(&self) -> anyhow::Result<BTreeMap<String, SignedDuration>> {
        let now = self.clock.now();
        let then = now - LOOKED_BACK;
        let mut ask = self
            .cloudwatch
            .get_metric_data()
            .start_time(DateTime::from_secs(then.as_second()))
            .end_time(DateTime::from_secs(now.as_second()));
        for (index, name) in self.names.iter().enumerate() {
            let metric = Metric::builder()
                .namespace("AWS/SQS")
                .metric_name("ApproximateAgeOfOldestMessage")
                .dimensions(Dimension::builder().name("QueueName").value(name).build())
                .build();
            let stat = MetricStat::builder().metric(metric).period(60).stat("Maximum").build();
            ask = ask.metric_data_queries(
                MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat).build(),
            );
        }
        let answer = ask.send().await.context("GetMetricData failed")?;
        let age = |result: &aws_sdk_cloudwatch::types::MetricDataResult| {
            let index: usize = result.id()?.strip_prefix('q')?.parse().ok()?;
            // The newest comes first, and is whole seconds.
            let seconds = SignedDuration::try_from_secs_f64(*result.values().first()?).ok()?;
            Some((logical(self.names.get(index)?), seconds))
        };
        Ok(answer.metric_data_results().iter().filter_map(age).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_called_as_in_the_template() {
        assert_eq!(logical("serverless-orders-TrackOrderQueue-A1B2C3"), "TrackOrderQueue");
        assert_eq!(logical("queue"), "queue");
    }
}
