//! GuardDuty Malware Protection for S3. It scans new objects in the quarantine bucket, and publishes the
//! results on the default event bus
//! (<https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html>).

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use platform::Failure;
use serde::Deserialize;
use serde_json::Value;

use crate::scan::{ScanRequest, Scanner, Verdict};
use crate::store::FileVersion;

/// The `detail-type` of scan results.
const DETAIL_TYPE: &str = "GuardDuty Malware Protection Object Scan Result";

/// The scanner that takes verdicts from the messages of GuardDuty.
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
    /// [`Failure::Reject`] if GuardDuty has no permission to read the file. This needs manual intervention:
    /// its role must be fixed, and the file uploaded again.
    fn parse_message(&self, message: &Value) -> Result<ScanRequest, Failure> {
        let result = ScanResult::deserialize(message).map_err(|error| {
            Failure::poison(format!("the message is not a GuardDuty scan result: {error}"))
        })?;
        if result.detail_type != DETAIL_TYPE {
            return Err(Failure::poison(format!("{} is not a scan result", result.detail_type)));
        }
        let ObjectDetails { object_key: key, etag, version_id: version } = result.detail.s3_object_details;
        let details = result.detail.scan_result_details;
        let verdict = match details.scan_result_status.as_str() {
            "NO_THREATS_FOUND" => Verdict::Clean,
            "THREATS_FOUND" => Verdict::Infected { threat: threat_names(details.threats) },
            "UNSUPPORTED" => Verdict::NotScannable,
            "FAILED" => Verdict::Failed,
            "ACCESS_DENIED" => {
                return Err(Failure::reject(format!(
                    "GuardDuty has no permission to read {key}: fix its role, then upload the file again"
                )));
            }
            other => return Err(Failure::poison(format!("unknown GuardDuty scan result status {other}"))),
        };
        Ok(ScanRequest { file: FileVersion { key, etag, version }, verdict: Some(verdict) })
    }

    async fn scan(&self, request: &ScanRequest, _: Bytes) -> anyhow::Result<Verdict> {
        request.verdict.clone().context("the message contains no verdict")
    }
}

fn threat_names(threats: Option<Vec<Threat>>) -> String {
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
            "detail-type": DETAIL_TYPE, "account": "111122223333", "region": "us-east-1",
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
    async fn a_verdict_applies_to_one_version_of_a_file() {
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
            let request = GuardDuty.parse_message(&message(status)).unwrap();
            assert_eq!(request.file, file);
            assert_eq!(GuardDuty.scan(&request, Bytes::new()).await.unwrap(), verdict);
        }
    }

    #[tokio::test]
    async fn other_messages_are_rejected() {
        assert!(matches!(GuardDuty.parse_message(&message("ACCESS_DENIED")), Err(Failure::Reject(_))));
        assert!(matches!(GuardDuty.parse_message(&message("NO_THREATS_FOUND_YET")), Err(Failure::Poison(_))));
        let created = json!({ "detail-type": "Object Created", "detail": { "object": { "key": "uploads/a/b", "etag": "e" } } });
        assert!(matches!(GuardDuty.parse_message(&created), Err(Failure::Poison(_))));
        let mut other = message("NO_THREATS_FOUND");
        other["detail-type"] = json!("GuardDuty Malware Protection Resource Status Active");
        assert!(matches!(GuardDuty.parse_message(&other), Err(Failure::Poison(_))));
        let file = FileVersion { key: String::new(), etag: String::new(), version: None };
        assert!(GuardDuty.scan(&ScanRequest { file, verdict: None }, Bytes::new()).await.is_err());
    }
}
