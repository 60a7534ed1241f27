//! The protocol, against a fake `clamd`. The end-to-end tests use a real one.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// Starts a fake `clamd` with a fixed response, and returns what it receives.
async fn daemon(response: &'static [u8]) -> (Clamd, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let received = Arc::new(Mutex::new(Vec::new()));
    let buffered = Arc::clone(&received);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            let mut buffered = buffered.lock().unwrap();
            buffered.extend_from_slice(&buffer[..read]);
            if read == 0 || buffered.ends_with(&[0, 0, 0, 0]) {
                break;
            }
        }
        stream.write_all(response).await.unwrap();
    });
    (Clamd::new(address), received)
}

async fn scan(response: &'static [u8], content: &[u8]) -> anyhow::Result<Verdict> {
    let (clamd, _) = daemon(response).await;
    parse_verdict(&clamd.scan_stream(content).await?)
}

#[tokio::test]
async fn a_file_is_sent_in_length_prefixed_chunks() {
    let content = vec![7; CHUNK_BYTES + 3];
    let (clamd, received) = daemon(b"stream: OK\0").await;
    assert_eq!(clamd.scan_stream(&content).await.unwrap(), "stream: OK");
    let mut expected = b"zINSTREAM\0\x00\x01\x00\x00".to_vec();
    expected.extend_from_slice(&content[..CHUNK_BYTES]);
    expected.extend_from_slice(&[0, 0, 0, 3, 7, 7, 7, 0, 0, 0, 0]);
    assert_eq!(*received.lock().unwrap(), expected);
}

#[tokio::test]
async fn only_ok_is_clean() {
    assert_eq!(scan(b"stream: OK\0", b"x").await.unwrap(), Verdict::Clean);
    let threat = "Eicar-Test-Signature".to_owned();
    assert_eq!(
        scan(b"stream: Eicar-Test-Signature FOUND\0", b"x").await.unwrap(),
        Verdict::Infected { threat }
    );
    let too_long = scan(b"INSTREAM size limit exceeded. ERROR\0", b"x").await.unwrap();
    assert_eq!(too_long, Verdict::NotScannable);
}

#[tokio::test]
async fn a_response_that_is_not_a_verdict_is_an_error() {
    for response in [
        &b""[..],
        b"stream: OK",
        b"UNKNOWN COMMAND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"stream: OKAY\0",
        b"OK\0",
    ] {
        assert!(scan(response, b"x").await.is_err(), "{response:?}");
    }
}

#[tokio::test]
async fn an_unreachable_daemon_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Clamd::new(address).scan_stream(b"x").await.unwrap_err();
    assert!(error.to_string().contains("unreachable"), "{error}");
}

#[test]
fn a_message_identifies_the_version_of_the_file() {
    let clamd = Clamd::new(String::new());
    let object = json!({ "key": "uploads/a/b", "size": 3, "etag": "e", "version-id": "v", "sequencer": "0" });
    let message =
        json!({ "detail-type": "Object Created", "detail": { "bucket": { "name": "b" }, "object": object } });
    let file =
        FileVersion { key: "uploads/a/b".to_owned(), etag: "e".to_owned(), version: Some("v".to_owned()) };
    assert_eq!(clamd.parse_message(&message).unwrap(), ScanRequest { file, verdict: None });
    for wrong in
        [json!({}), json!(null), json!({ "detail-type": "Object Deleted", "detail": message["detail"] })]
    {
        assert!(matches!(clamd.parse_message(&wrong), Err(Failure::Poison(_))), "{wrong}");
    }
}
