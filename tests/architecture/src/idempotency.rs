//! That claims on effects (`platform::idempotency`) outlive whatever can come again.

use domain::claim::{DEFAULT_LEASE_DURATION, QUEUE_RETENTION, RECORD_LIFETIME};
use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, QUEUE, Resource, Template, list, target};

/// What SQS does where the template says nothing: 4 days
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html>).
const USUAL_RETENTION: u64 = 345_600;

/// The tables of claims: those that are keyed as `DynamoDbIdempotencyStore` writes.
fn claim_tables(template: &Template) -> impl Iterator<Item = Resource<'_>> {
    template.all("AWS::DynamoDB::Table").into_values().filter(|table| {
        let keys: Vec<&Value> =
            list(table.property("/KeySchema")).iter().map(|key| &key["AttributeName"]).collect();
        keys == ["subject", "effect"]
    })
}

/// A claim is kept for longer than a message can come again, and no longer than that.
pub fn claims_outlive_messages(template: &Template) -> Violations {
    let longest = u64::try_from(QUEUE_RETENTION.as_secs()).unwrap_or_default();
    let mut found = Violations::new();
    for (id, queue) in template.all(QUEUE) {
        let retention = queue.property("/MessageRetentionPeriod");
        let seconds = if retention.is_null() { Some(USUAL_RETENTION) } else { retention.as_u64() };
        if seconds.is_none_or(|seconds| seconds > longest) {
            found.push(format!(
                "{id}: set MessageRetentionPeriod to at most {longest}, or raise QUEUE_RETENTION in \
                 shared/domain/src/claim/retention.rs, so that claims are kept for as long"
            ));
        }
    }
    for table in claim_tables(template) {
        let expiry = table.property("/TimeToLiveSpecification");
        if expiry["AttributeName"] != "expires_at" || expiry["Enabled"] != true {
            found.push(format!(
                "{}: set TimeToLiveSpecification to expires_at, Enabled: claims are kept for {} days",
                table.id,
                RECORD_LIFETIME.as_hours() / 24
            ));
        }
    }
    found
}

/// Lambda has ended a run before its claim ends, so that nobody takes over from one that is still at it.
pub fn claims_outlast_runs(template: &Template) -> Violations {
    let tables: Vec<&str> = claim_tables(template).map(|table| table.id).collect();
    let lease = u64::try_from(DEFAULT_LEASE_DURATION.as_secs()).unwrap_or_default();
    let claims = |function: &Resource<'_>| {
        let variables = function.property("/Environment/Variables").as_object();
        variables
            .into_iter()
            .flat_map(|all| all.values())
            .any(|value| target(value).is_some_and(|id| tables.contains(&id)))
    };
    template
        .all(FUNCTION)
        .into_values()
        .filter(claims)
        .filter(|function| function.setting("/Timeout").as_u64().is_none_or(|seconds| seconds >= lease))
        .map(|function| {
            format!(
                "{}: set Timeout to less than {lease}, which is how long a claim lasts (domain::claim::DEFAULT_LEASE_DURATION), \
                 or give its Idempotency a longer lease and say so here",
                function.id
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_tells, repository, with};

    #[test]
    fn there_are_claims_to_look_at() {
        let template = repository();
        assert_eq!(claim_tables(&template).map(|table| table.id).collect::<Vec<_>>(), ["EmailsTable"]);
    }

    #[test]
    fn a_queue_that_keeps_messages_for_longer_than_claims_are_kept_for() {
        let longer = with("SendEmailQueue/Properties/MessageRetentionPeriod", json!(1_209_601));
        assert_tells(&claims_outlive_messages(&longer), &["SendEmailQueue", "1209600"]);
        let usual = with("SendEmailQueue/Properties/MessageRetentionPeriod", Value::Null);
        assert_eq!(claims_outlive_messages(&usual), Violations::new());
        let unclear = with("SendEmailQueue/Properties/MessageRetentionPeriod", json!({ "Ref": "Days" }));
        assert_tells(&claims_outlive_messages(&unclear), &["SendEmailQueue"]);
    }

    #[test]
    fn claims_that_are_kept_for_ever_or_for_another_time() {
        let for_ever = with("EmailsTable/Properties/TimeToLiveSpecification", Value::Null);
        assert_tells(&claims_outlive_messages(&for_ever), &["EmailsTable", "expires_at", "60 days"]);
        let off = with("EmailsTable/Properties/TimeToLiveSpecification/Enabled", json!(false));
        assert_tells(&claims_outlive_messages(&off), &["EmailsTable"]);
    }

    #[test]
    fn a_function_that_runs_for_longer_than_its_claim() {
        let slow = with("SendEmail/Properties/Timeout", json!(45));
        assert_tells(&claims_outlast_runs(&slow), &["SendEmail", "45"]);
        let another = with("TrackOrder/Properties/Timeout", json!(60));
        assert_eq!(claims_outlast_runs(&another), Violations::new(), "it claims nothing");
    }
}
