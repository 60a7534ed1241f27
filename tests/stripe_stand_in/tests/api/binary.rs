//! The binary: its state file, signals and log.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Method;

use crate::support::{Api, bearer, intent_form};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stripe-stand-in");

pub(crate) struct Running {
    process: Child,
    output: BufReader<std::process::ChildStdout>,
    pub(crate) api: Api,
}

impl Running {
    pub(crate) fn start(state: &Path) -> Self {
        let mut process = Command::new(PROGRAM)
            .args(["--port", "0", "--state"])
            .arg(state)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("listening on http://127.0.0.1:").unwrap().parse().unwrap();
        Self { process, output, api: Api::at(port) }
    }

    /// Sends a signal and waits; returns whether the process exited successfully, and the rest of its output.
    pub(crate) fn stop(mut self, signal: &str) -> (bool, String) {
        let sent = Command::new("kill").args([signal, &self.process.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap().success(), rest)
    }
}

impl Drop for Running {
    /// Kills the process also if the test fails.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn the_account_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    // The directory does not exist yet and is created.
    let state = folder.path().join("stand-in/state.json");
    let first = Running::start(&state);
    let form = intent_form("o-1", "pm_card_visa");
    let made = first.api.post_with_key("/v1/payment_intents", &form, "k").await;
    let confirmed = first.api.confirm(&made.id()).await;
    let waiting = first.api.create_intent("o-2", "pm_card_mastercard").await;
    let (success, log) = first.stop("-TERM");
    assert!(success);
    assert!(log.lines().any(|line| line.contains("succeeded order=o-1")), "{log}");

    let second = Running::start(&state);
    let read = second.api.get(&format!("/v1/payment_intents/{}", made.id())).await;
    assert_eq!(read.body, confirmed.body);
    assert_eq!(second.api.charges("o-1").await.len(), 1);
    let replayed = second.api.post_with_key("/v1/payment_intents", &form, "k").await;
    assert_eq!((replayed.text, replayed.headers.contains_key("idempotent-replayed")), (made.text, true));
    // The payment method that was created before the restart still has its card.
    assert_eq!(second.api.confirm(&waiting).await.at("/status"), "succeeded");
    assert!(second.stop("-INT").0);
}

#[tokio::test]
async fn a_killed_process_loses_at_most_one_second_of_changes() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    let first = Running::start(&state);
    let id = first.api.create_intent("o-1", "pm_card_visa").await;
    first.api.confirm(&id).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!first.stop("-KILL").0);

    let second = Running::start(&state);
    assert_eq!(second.api.status_of(&id).await, "succeeded");
    assert!(second.stop("-TERM").0);
}

#[tokio::test]
async fn the_process_stops_while_a_fault_delays_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&folder.path().join("state.json"));
    running.api.add_fault(serde_json::json!({"operation": "list", "kind": "timeout"})).await;
    let api = running.api.clone();
    let hanging =
        tokio::spawn(async move { api.send(Method::GET, "/v1/payment_intents", &[bearer()], "").await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let start = Instant::now();
    let (success, _) = tokio::task::spawn_blocking(move || running.stop("-TERM")).await.unwrap();
    assert!(success && start.elapsed() < Duration::from_secs(10));
    assert!(hanging.await.unwrap().is_err());
}

#[test]
fn startup_errors_suggest_a_fix() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.json");
    std::fs::write(&state, "not JSON").unwrap();
    let corrupt = Command::new(PROGRAM).args(["--port", "0", "--state"]).arg(&state).output().unwrap();
    assert!(!corrupt.status.success());
    assert!(String::from_utf8_lossy(&corrupt.stderr).contains("pass another --state"));

    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupied.local_addr().unwrap().port().to_string();
    let refused = Command::new(PROGRAM).args(["--port", &port]).output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pass another --port"));
}
