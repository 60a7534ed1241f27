//! POST policies and their signatures.

use super::*;

/// The example of <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-post-example.html>; the test inserts
/// the line endings that the page specifies.
const EXAMPLE: &str = r#"{ "expiration": "2015-12-30T12:00:00.000Z",
  "conditions": [
    {"bucket": "sigv4examplebucket"},
    ["starts-with", "$key", "user/user1/"],
    {"acl": "public-read"},
    {"success_action_redirect": "http://sigv4examplebucket.s3.amazonaws.com/successful_upload.html"},
    ["starts-with", "$Content-Type", "image/"],
    {"x-amz-meta-uuid": "14365123651274"},
    {"x-amz-server-side-encryption": "AES256"},
    ["starts-with", "$x-amz-meta-tag", ""],

    {"x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20151229/us-east-1/s3/aws4_request"},
    {"x-amz-algorithm": "AWS4-HMAC-SHA256"},
    {"x-amz-date": "20151229T000000Z" }
  ]
}"#;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[test]
fn the_signature_matches_the_example_of_aws() {
    let policy = BASE64_STANDARD.encode(EXAMPLE.replace('\n', "\r\n"));
    let signature = sign(SECRET, "2015-12-29T00:00:00Z".parse().unwrap(), "us-east-1", &policy);
    assert_eq!(signature, "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e");
}

#[test]
fn a_form_is_valid_for_one_file_and_a_short_time() {
    let credentials =
        Credentials::new("AKIAIOSFODNN7EXAMPLE", SECRET, Some("token".to_owned()), None, "test");
    let policy = UploadPolicy {
        key: "uploads/TEA-001/1".to_owned(),
        content_type: "image/png".to_owned(),
        max_bytes: 1000,
        valid_from: "2026-11-23T23:55:30Z".parse().unwrap(),
        validity: Duration::from_secs(600),
    };
    let fields = form_fields(&credentials, "us-east-1", "uploads", &policy).unwrap();
    let policy = BASE64_STANDARD.decode(&fields["policy"]).unwrap();
    let policy: Value = serde_json::from_slice(&policy).unwrap();
    assert_eq!(policy["expiration"], "2026-11-24T00:05:30.000Z");
    let conditions = policy["conditions"].as_array().unwrap();
    for expected in [
        json!({ "bucket": "uploads" }),
        json!({ "key": "uploads/TEA-001/1" }),
        json!({ "Content-Type": "image/png" }),
        json!({ "x-amz-security-token": "token" }),
        json!({ "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20261123/us-east-1/s3/aws4_request" }),
        json!({ "x-amz-date": "20261123T235530Z" }),
        json!(["content-length-range", 1, 1000]),
    ] {
        assert!(conditions.contains(&expected), "{expected} is not in {policy}");
    }
    // S3 rejects a form with a field that has no condition, except for these two (and the file).
    let exempt = fields.keys().filter(|name| !conditions.iter().any(|it| it.get(name.as_str()).is_some()));
    assert_eq!(exempt.collect::<Vec<_>>(), ["policy", "x-amz-signature"]);
}
