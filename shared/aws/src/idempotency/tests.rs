use domain::claim::{Outcome, Status};
use domain::{Attempt, Lease};
use jiff::SignedDuration;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::stub_connector::StubConnector;

const OWNER: &str = "00000000-0000-0000-0000-000000000007";

fn store(stub: &StubConnector) -> DynamoDbIdempotencyStore {
    DynamoDbIdempotencyStore::new(Client::new(&stub.config()), "claims".to_owned())
}

fn key() -> Key {
    Key::new("o-1", "confirmation")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn claimed() -> Claim {
    let owner = Uuid::from_u128(7);
    let lease: Lease = Attempt { owner, now: at(0), lease_duration: SignedDuration::from_secs(45) }.lease();
    Claim {
        version: 1,
        fingerprint: [1; 32].into(),
        unknown_outcomes: 0,
        status: Status::InProgress { lease },
    }
}

#[tokio::test]
async fn a_first_claim_is_written_if_there_is_none() {
    let stub = StubConnector::new([(200, json!({}))]);
    assert!(store(&stub).write(&key(), None, &claimed(), at(1000)).await.unwrap());
    let request = &stub.requests()[0];
    assert_eq!(request["TableName"], "claims");
    assert_eq!(request["ConditionExpression"], "attribute_not_exists(subject)");
    let item = &request["Item"];
    for (name, value) in [
        ("subject", json!({"S": "o-1"})),
        ("effect", json!({"S": "confirmation"})),
        ("version", json!({"N": "1"})),
        ("owner", json!({"S": OWNER})),
        ("status", json!({"S": "in_progress"})),
        ("expires_at", json!({"N": "1000"})),
    ] {
        assert_eq!(item[name], value, "{name}");
    }
    let claim: Claim = serde_json::from_str(item["claim"]["S"].as_str().unwrap()).unwrap();
    assert_eq!(claim, claimed());
}

#[tokio::test]
async fn a_later_write_is_conditional_on_owner_and_version() {
    let stub = StubConnector::new([(200, json!({}))]);
    let done = claimed().with_outcome(Outcome::Done { receipt: "m".into() }, at(1)).unwrap();
    assert!(store(&stub).write(&key(), Some(&claimed()), &done, at(1000)).await.unwrap());
    let request = &stub.requests()[0];
    assert_eq!(request["ConditionExpression"], "version = :version AND #owner = :owner");
    assert_eq!(request["ExpressionAttributeNames"], json!({"#owner": "owner"}));
    let values = json!({":version": {"N": "1"}, ":owner": {"S": OWNER}});
    assert_eq!(request["ExpressionAttributeValues"], values);
    assert_eq!(request["Item"]["status"], json!({"S": "completed"}));
}

#[tokio::test]
async fn only_a_failed_condition_is_not_an_error() {
    let response = |kind: &str| StubConnector::new([(400, json!({"__type": kind, "message": "m"}))]);
    let write = async |kind: &str| store(&response(kind)).write(&key(), None, &claimed(), at(1)).await;
    assert!(!write("ConditionalCheckFailedException").await.unwrap());
    let failed = write("ProvisionedThroughputExceededException").await.unwrap_err();
    assert!(failed.to_string().contains("confirmation of o-1"), "{failed}");
    assert!(store(&response("ResourceNotFoundException")).get(&key()).await.is_err());
}

fn row(claim: &Value) -> StubConnector {
    StubConnector::new([(200, json!({"Item": {"subject": {"S": "o-1"}, "claim": claim}}))])
}

#[tokio::test]
async fn a_claim_is_read_consistently() {
    let stub = row(&json!({"S": serde_json::to_string(&claimed()).unwrap()}));
    assert_eq!(store(&stub).get(&key()).await.unwrap(), Some(claimed()));
    let request = &stub.requests()[0];
    assert_eq!(request["ConsistentRead"], true);
    assert_eq!(request["Key"], json!({"subject": {"S": "o-1"}, "effect": {"S": "confirmation"}}));
    assert_eq!(store(&StubConnector::new([(200, json!({}))])).get(&key()).await.unwrap(), None);
}

#[tokio::test]
async fn a_row_that_cannot_be_parsed_is_an_error() {
    for claim in [json!({"S": "{}"}), json!({"N": "1"})] {
        assert!(store(&row(&claim)).get(&key()).await.is_err(), "{claim}");
    }
}
