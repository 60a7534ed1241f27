use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use aws_credential_types::Credentials;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};
use aws_smithy_types::retry::RetryConfig;
use aws_types::region::Region;
use jiff::Timestamp;
use platform::clock::{Clock, SystemClock};
use platform::lock;
use x509_cert::Certificate;

use super::*;

#[test]
fn amazons_roots_are_valid_for_another_year() {
    let roots = Certificate::load_pem_chain(AMAZON_ROOTS.as_bytes()).unwrap();
    assert_eq!(roots.len(), 5, "Amazon Root CA 1 to 4 and Starfield Services Root CA - G2");
    let year = jiff::SignedDuration::from_hours(365 * 24);
    for root in &roots {
        let certificate = &root.tbs_certificate;
        let end = certificate.validity.not_after.to_unix_duration().as_secs();
        let end = Timestamp::from_second(i64::try_from(end).unwrap()).unwrap();
        assert!(
            SystemClock.now() + year < end,
            "{} expires at {end}: replace it with the new roots from https://www.amazontrust.com/repository/",
            certificate.subject
        );
        assert_eq!(certificate.subject, certificate.issuer, "a root certificate is self-signed");
    }
}

#[test]
fn the_client_loads_amazons_roots() {
    let loaded = CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes()).flatten().count();
    let mut roots = RootCertStore::empty();
    let added =
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes()).flatten());
    assert_eq!((loaded, added), (5, (5, 0)));
}

/// A server on loopback that answers each request with the next of `responses`, `None` by closing the connection, and
/// sends a message for each connection.
fn server(responses: &[Option<&'static str>]) -> (String, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let responses = Arc::new(Mutex::new(responses.iter().rev().copied().collect::<Vec<_>>()));
    let (sender, connections) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, responses) = (stream.unwrap(), Arc::clone(&responses));
            let _ = sender.send(());
            std::thread::spawn(move || {
                // Each request of these tests fits in one read.
                while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {
                    let Some(Some(response)) = lock(&responses).pop() else { return };
                    stream.write_all(response.as_bytes()).unwrap();
                }
            });
        }
    });
    (url, connections)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const FAILED: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}";

fn connector() -> Connector {
    Connector::new(RootCertStore::empty(), Duration::from_millis(200))
}

/// Sends two requests of the SDK with its standard retries, and returns the number of connections.
async fn connections_for_two_requests(responses: &[Option<&'static str>]) -> usize {
    let (url, connections) = server(responses);
    let connector = SharedHttpConnector::new(connector());
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "key", None, None, "test"))
        .endpoint_url(url)
        .sleep_impl(TokioSleep::new())
        .retry_config(RetryConfig::standard().with_initial_backoff(Duration::from_millis(1)))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let client = aws_sdk_dynamodb::Client::from_conf(config);
    for _ in 0..2 {
        client.list_tables().send().await.unwrap();
    }
    connections.try_iter().count()
}

#[tokio::test]
async fn a_connection_is_used_again_unless_a_request_failed_on_it() {
    assert_eq!(connections_for_two_requests(&[Some(OK), Some(OK)]).await, 1);
    assert_eq!(connections_for_two_requests(&[Some(FAILED), Some(OK), Some(OK)]).await, 2);
    assert_eq!(connections_for_two_requests(&[None, Some(OK), Some(OK)]).await, 2);
}

async fn error_at(url: &str) -> ConnectorError {
    let request = Request::get(url).body(SdkBody::empty()).unwrap().try_into().unwrap();
    connector().call(request).await.unwrap_err()
}

#[tokio::test]
async fn errors_are_classified_for_retries() {
    let (closes, _connections) = server(&[None]);
    assert_eq!(error_at(&closes).await.as_other(), Some(ErrorKind::TransientError));
    // A label of 64 characters: the resolver refuses the name without asking a server, which may be slow.
    assert!(error_at(&format!("http://{}.invalid/", "x".repeat(64))).await.is_io());

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let silent = error_at(&format!("https://{address}/")).await;
    assert!(silent.is_timeout(), "the TLS handshake is part of the connect timeout: {silent:?}");
    drop(listener);
    assert!(error_at(&format!("http://{address}/")).await.is_io());
}
