//! GuardDuty Malware Protection for S3. It scans what comes into the quarantine, and says what it found on the default bus
//! (<https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html>).

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use serde::Deserialize;
use serde_json::Value;

use crate::scan::{Arrival, Scanner, Verdict};
use crate::store::FileVersion;

/// What it calls its messages.
const RESULT: &str = "GuardDuty Malware Protection Object Scan Result";

/// GuardDuty.
#[derive(Debug, Clone, Copy)]
pub struct GuardDuty;

#[derive(Deserialize)]
struct ScanResult {
    #[serde(rename = "detail-type")]
    detail_type: String,
    detail: Detail,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    s3_object_details: ObjectDetails,
    scan_result_details: ResultDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ObjectDetails {
    object_key: String,
    #[serde(rename = "eTag")]
    etag: String,
    version_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResultDetails {
    scan_result_status: String,
    threats: Option<Vec<Threat>>,
}

#[derive(Deserialize)]
struct Threat {
    name: String,
}

#[async_trait]
impl Scanner for GuardDuty {
    /// # Errors
    /// [`Failure::Reject`] where GuardDuty is not allowed to read the file: a person has to mend its role, and the file has
    /// to be uploaded once more.
    fn arrival(&self, message: &Value) -> Result<Arrival, Failure> {
        let result = ScanResult::deserialize(message)
            .map_err(|error| Failure::poison(format!("this is no scan result of GuardDuty: {error}")))?;
        if result.detail_type != RESULT {
            return Err(Failure::poison(format!("{} is no scan result", result.detail_type)));
        }
        let ObjectDetails { object_key: key, etag, version_id: version } = result.detail.s3_object_details;
        let details = result.detail.scan_result_details;
        let verdict = match details.scan_result_status.as_str() {
            "NO_THREATS_FOUND" => Verdict::Clean,
            "THREATS_FOUND" => Verdict::Infected { threat: names(details.threats) },
            "UNSUPPORTED" => Verdict::NotScannable,
            "FAILED" => Verdict::Failed,
            "ACCESS_DENIED" => {
                return Err(Failure::reject(format!(
                    "GuardDuty is not allowed to read {key}: mend its role"
                )));
            }
            other => return Err(Failure::poison(format!("GuardDuty says {other}, which is not known"))),
        };
        Ok(Arrival { file: FileVersion { key, etag, version }, verdict: Some(verdict) })
    }

    async fn scan(&self, arrival: &Arrival, _: Bytes) -> anyhow::Result<Verdict> {
        arrival.verdict.clone().context("a message without a verdict")
    }
}

fn names(threats: Option<Vec<Threat>>) -> String {
    let names: Vec<String> = threats.unwrap_or_default().into_iter().map(|threat| threat.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(status: &str) -> Value {
        json!({
            "version": "0", "id": "72c7d362-737a-6dce-fc78-9e27a0171419", "source": "aws.guardduty",
            "detail-type": RESULT, "account": "111122223333", "region": "us-east-1",
            "resources": ["arn:aws:guardduty:us-east-1:111122223333:malware-protection-plan/b4c7f464ab3a4EXAMPLE"],
            "detail": {
                "schemaVersion": "1.0", "scanStatus": "COMPLETED", "resourceType": "S3_OBJECT",
                "s3ObjectDetails": {
                    "bucketName": "quarantine", "objectKey": "uploads/a/b", "eTag": "e", "versionId": "v",
                    "s3Throttled": false,
                },
                "scanResultDetails": { "scanResultStatus": status, "threats": [{ "name": "EICAR-Test-File" }] },
            },
        })
    }

    #[tokio::test]
    async fn each_verdict_is_of_one_version_of_a_file() {
        let file = FileVersion {
            key: "uploads/a/b".to_owned(),
            etag: "e".to_owned(),
            version: Some("v".to_owned()),
        };
        for (status, verdict) in [
            ("NO_THREATS_FOUND", Verdict::Clean),
            ("THREATS_FOUND", Verdict::Infected { threat: "EICAR-Test-File".to_owned() }),
            ("UNSUPPORTED", Verdict::NotScannable),
            ("FAILED", Verdict::Failed),
        ] {
            let arrival = GuardDuty.arrival(&message(status)).unwrap();
            assert_eq!(arrival.file, file);
            assert_eq!(GuardDuty.scan(&arrival, Bytes::new()).await.unwrap(), verdict);
        }
    }

    #[tokio::test]
    async fn what_is_no_verdict_lets_nothing_through() {
        assert!(matches!(GuardDuty.arrival(&message("ACCESS_DENIED")), Err(Failure::Reject(_))));
        assert!(matches!(GuardDuty.arrival(&message("NO_THREATS_FOUND_YET")), Err(Failure::Poison(_))));
        let created = json!({ "detail-type": "Object Created", "detail": { "object": { "key": "uploads/a/b", "etag": "e" } } });
        assert!(matches!(GuardDuty.arrival(&created), Err(Failure::Poison(_))));
        let mut other = message("NO_THREATS_FOUND");
        other["detail-type"] = json!("GuardDuty Malware Protection Resource Status Active");
        assert!(matches!(GuardDuty.arrival(&other), Err(Failure::Poison(_))));
        let file = FileVersion { key: String::new(), etag: String::new(), version: None };
        assert!(GuardDuty.scan(&Arrival { file, verdict: None }, Bytes::new()).await.is_err());
    }
}
