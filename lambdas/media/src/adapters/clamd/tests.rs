//! The protocol, against a listener that plays `clamd`. The real one is asked in the end-to-end tests.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// A `clamd` that answers so, and what it was sent.
async fn daemon(answer: &'static [u8]) -> (Clamd, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&got);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = stream.read(&mut buffer).await.unwrap();
            let mut kept = kept.lock().unwrap();
            kept.extend_from_slice(&buffer[..read]);
            if read == 0 || kept.ends_with(&[0, 0, 0, 0]) {
                break;
            }
        }
        stream.write_all(answer).await.unwrap();
    });
    (Clamd::new(address), got)
}

async fn scan(answer: &'static [u8], content: &[u8]) -> anyhow::Result<Verdict> {
    let (clamd, _) = daemon(answer).await;
    verdict(&clamd.ask(content).await?)
}

#[tokio::test]
async fn a_file_is_sent_in_chunks_behind_their_lengths() {
    let content = vec![7; CHUNK + 3];
    let (clamd, got) = daemon(b"stream: OK\0").await;
    assert_eq!(clamd.ask(&content).await.unwrap(), "stream: OK");
    let mut wanted = b"zINSTREAM\0\x00\x01\x00\x00".to_vec();
    wanted.extend_from_slice(&content[..CHUNK]);
    wanted.extend_from_slice(&[0, 0, 0, 3, 7, 7, 7, 0, 0, 0, 0]);
    assert_eq!(*got.lock().unwrap(), wanted);
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
async fn what_is_no_verdict_is_asked_again() {
    for answer in [
        &b""[..],
        b"stream: OK",
        b"UNKNOWN COMMAND\0",
        b"stream: Can't allocate memory ERROR\0",
        b"stream: OKAY\0",
        b"OK\0",
    ] {
        assert!(scan(answer, b"x").await.is_err(), "{answer:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_is_no_verdict() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = Clamd::new(address).ask(b"x").await.unwrap_err();
    assert!(error.to_string().contains("out of reach"), "{error}");
}

#[test]
fn a_message_names_the_version_of_the_file() {
    let clamd = Clamd::new(String::new());
    let object = json!({ "key": "uploads/a/b", "size": 3, "etag": "e", "version-id": "v", "sequencer": "0" });
    let message =
        json!({ "detail-type": "Object Created", "detail": { "bucket": { "name": "b" }, "object": object } });
    let file =
        FileVersion { key: "uploads/a/b".to_owned(), etag: "e".to_owned(), version: Some("v".to_owned()) };
    assert_eq!(clamd.arrival(&message).unwrap(), Arrival { file, verdict: None });
    for wrong in
        [json!({}), json!(null), json!({ "detail-type": "Object Deleted", "detail": message["detail"] })]
    {
        assert!(matches!(clamd.arrival(&wrong), Err(Failure::Poison(_))), "{wrong}");
    }
}
