//! Checks that claims on effects (`platform::idempotency`) are kept for as long as a message can be redelivered.

use domain::claim::{DEFAULT_LEASE_DURATION, QUEUE_RETENTION, RECORD_LIFETIME};
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, QUEUE, Resource, Template, list, target};

/// The default retention period of SQS in seconds: 4 days
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html>).
const DEFAULT_RETENTION: u64 = 345_600;

/// The tables of claims: those with the key of `DynamoDbIdempotencyStore`.
fn claim_tables(template: &Template) -> impl Iterator<Item = Resource<'_>> {
    template.all("AWS::DynamoDB::Table").into_values().filter(|table| {
        let keys: Vec<&Value> =
            list(table.property("/KeySchema")).iter().map(|key| &key["AttributeName"]).collect();
        keys == ["subject", "effect"]
    })
}

/// Claims are kept for longer than a message can be redelivered, and then expire.
pub fn claims_outlive_messages(template: &Template) -> Violations {
    let max_retention = u64::try_from(QUEUE_RETENTION.as_secs()).unwrap_or_default();
    let mut found = Violations::new();
    for (id, queue) in template.all(QUEUE) {
        let retention = queue.property("/MessageRetentionPeriod");
        let seconds = if retention.is_null() { Some(DEFAULT_RETENTION) } else { retention.as_u64() };
        if seconds.is_none_or(|seconds| seconds > max_retention) {
            found.push(format!(
                "{id}: set MessageRetentionPeriod to at most {max_retention}, or increase QUEUE_RETENTION in \
                 shared/domain/src/claim/retention.rs, so that claims are kept for that long"
            ));
        }
    }
    for table in claim_tables(template) {
        let expiry = table.property("/TimeToLiveSpecification");
        if expiry["AttributeName"] != "expires_at" || expiry["Enabled"] != true {
            found.push(format!(
                "{}: set TimeToLiveSpecification to expires_at, Enabled: claims expire after {} days",
                table.id,
                RECORD_LIFETIME.as_hours() / 24
            ));
        }
    }
    found
}

/// Each function's timeout is shorter than the lease of a claim, so that no worker takes over an effect while another one
/// still executes it.
pub fn leases_outlast_timeouts(template: &Template) -> Violations {
    let tables: Vec<&str> = claim_tables(template).map(|table| table.id).collect();
    let lease = u64::try_from(DEFAULT_LEASE_DURATION.as_secs()).unwrap_or_default();
    let uses_claims = |function: &Resource<'_>| {
        let variables = function.property("/Environment/Variables").as_object();
        variables
            .into_iter()
            .flat_map(|all| all.values())
            .any(|value| target(value).is_some_and(|id| tables.contains(&id)))
    };
    template
        .all(FUNCTION)
        .into_values()
        .filter(uses_claims)
        .filter(|function| function.setting("/Timeout").as_u64().is_none_or(|seconds| seconds >= lease))
        .map(|function| {
            format!(
                "{}: set Timeout to less than {lease}, the lease duration of a claim (domain::claim::DEFAULT_LEASE_DURATION), \
                 or give its Idempotency a longer lease and adapt this check",
                function.id
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_reports, repository, with};

    #[test]
    fn the_tables_of_claims_are_found() {
        let template = repository();
        assert_eq!(claim_tables(&template).map(|table| table.id).collect::<Vec<_>>(), ["EmailsTable"]);
    }

    #[test]
    fn a_queue_that_retains_messages_longer_than_claims() {
        let longer = with("SendEmailQueue/Properties/MessageRetentionPeriod", json!(1_209_601));
        assert_reports(&claims_outlive_messages(&longer), &["SendEmailQueue", "1209600"]);
        let default = with("SendEmailQueue/Properties/MessageRetentionPeriod", Value::Null);
        assert_eq!(claims_outlive_messages(&default), Violations::new());
        let unclear = with("SendEmailQueue/Properties/MessageRetentionPeriod", json!({ "Ref": "Days" }));
        assert_reports(&claims_outlive_messages(&unclear), &["SendEmailQueue"]);
    }

    #[test]
    fn claims_that_do_not_expire() {
        let for_ever = with("EmailsTable/Properties/TimeToLiveSpecification", Value::Null);
        assert_reports(&claims_outlive_messages(&for_ever), &["EmailsTable", "expires_at", "60 days"]);
        let off = with("EmailsTable/Properties/TimeToLiveSpecification/Enabled", json!(false));
        assert_reports(&claims_outlive_messages(&off), &["EmailsTable"]);
    }

    #[test]
    fn a_function_whose_timeout_exceeds_its_lease() {
        let slow = with("SendEmail/Properties/Timeout", json!(45));
        assert_reports(&leases_outlast_timeouts(&slow), &["SendEmail", "45"]);
        let another = with("TrackOrder/Properties/Timeout", json!(60));
        assert_eq!(leases_outlast_timeouts(&another), Violations::new(), "it makes no claims");
    }
}
