//! `shopctl` as a script calls it: exit codes and JSON, with a stand-in for AWS.

#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Nothing listens here.
const NOWHERE: &str = "http://127.0.0.1:1";
const LIST: &[&str] = &["--stack", "shop", "--region", "eu-west-1", "dlq", "list"];

/// Answers the calls of `dlq list` for a stack with one dead-letter queue, whose `messages` messages are all in flight.
/// Returns its URL.
fn aws(messages: u32) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let queue = format!("{url}/000000000000/TrackOrderDeadLetters");
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let (headers, body) = request(&mut connection);
            let (status, kind, answer) = match headers.get("x-amz-target").map(String::as_str) {
                Some("AmazonSQS.GetQueueAttributes") => {
                    let attributes = json!({ "ApproximateNumberOfMessages": messages.to_string() });
                    ("200 OK", "application/x-amz-json-1.0", json!({ "Attributes": attributes }).to_string())
                }
                Some("AmazonSQS.ReceiveMessage") => ("200 OK", "application/x-amz-json-1.0", "{}".to_owned()),
                _ if body.contains("Action=ListStackResources") => ("200 OK", "text/xml", resources(&queue)),
                _ => ("400 Bad Request", "text/plain", format!("unexpected: {headers:?} {body}")),
            };
            let length = answer.len();
            let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n");
            write!(connection, "{head}connection: close\r\n\r\n{answer}").unwrap();
        }
    });
    url
}

/// The headers of a request, with names in lower case, and its body.
fn request(connection: &mut TcpStream) -> (BTreeMap<String, String>, String) {
    let mut reader = BufReader::new(connection);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_lowercase(), value.trim().to_owned());
        }
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (headers, String::from_utf8(body).unwrap())
}

fn resources(queue: &str) -> String {
    format!(
        "<ListStackResourcesResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\">\
         <ListStackResourcesResult><StackResourceSummaries><member>\
         <LogicalResourceId>TrackOrderDeadLetters</LogicalResourceId>\
         <PhysicalResourceId>{queue}</PhysicalResourceId><ResourceType>AWS::SQS::Queue</ResourceType>\
         <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
         <LastUpdatedTimestamp>2026-01-01T00:00:00Z</LastUpdatedTimestamp>\
         </member></StackResourceSummaries></ListStackResourcesResult></ListStackResourcesResponse>"
    )
}

/// `shopctl` with AWS at `endpoint`, and nothing else from the environment.
fn command(endpoint: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_shopctl"));
    command.env_clear().args(arguments);
    command.env("HOME", std::env::temp_dir()).env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
    command.env("AWS_ENDPOINT_URL", endpoint);
    command
}

fn shopctl(endpoint: &str, arguments: &[&str]) -> Output {
    command(endpoint, arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn empty_queues_exit_with_0_and_messages_with_1() {
    let empty = shopctl(&aws(0), LIST);
    assert_eq!(empty.status.code(), Some(0), "{empty:?}");
    let found = shopctl(&aws(3), LIST);
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    assert!(stdout(&found).contains("3  TrackOrderDeadLetters"), "{found:?}");
}

#[test]
fn json_is_one_document() {
    let found = shopctl(&aws(3), &[LIST, &["--json"]].concat());
    assert_eq!(found.status.code(), Some(1), "{found:?}");
    let document: Value = serde_json::from_str(&stdout(&found)).unwrap();
    let queue = json!({ "queue": "TrackOrderDeadLetters", "messages": 3, "in_flight": 3, "reasons": [] });
    assert_eq!(document, json!({ "stack": "shop", "queues": [queue] }));
}

#[test]
fn a_wrong_command_line_exits_with_2() {
    for arguments in [
        &[][..],
        &["dlq", "list"],
        &["--stack", "shop", "dlq", "lst"],
        &["--stack", "shop", "verify"],
        &["--stack", "shop", "audit", "--patience", "soon"],
    ] {
        assert_eq!(shopctl(NOWHERE, arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_done_exits_with_3_and_says_why_on_standard_error() {
    let unreachable = shopctl(NOWHERE, LIST);
    let no_region = shopctl(NOWHERE, &["--stack", "shop", "dlq", "list"]);
    let refused = shopctl(&aws(0), &["--stack", "shop", "--region", "eu-west-1", "audit", "--json"]);
    for failed in [unreachable, no_region, refused] {
        assert_eq!(failed.status.code(), Some(3), "{failed:?}");
        assert!(failed.stdout.is_empty() && failed.stderr.starts_with(b"error: "), "{failed:?}");
    }
}

#[test]
fn completions_need_no_stack() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let completions = shopctl(NOWHERE, &["completions", shell]);
        assert_eq!(completions.status.code(), Some(0), "{completions:?}");
        assert!(stdout(&completions).contains("redrive"), "{shell}");
    }
}

#[test]
fn a_reader_that_ends_early_causes_no_panic() {
    let mut completions = command(NOWHERE, &["completions", "bash"]);
    let mut child = completions.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.code() != Some(101) && ended.stderr.is_empty(), "{ended:?}");
}
