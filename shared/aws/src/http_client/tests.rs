use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};

use aws_credential_types::Credentials;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use rustls::RootCertStore;

use super::*;
use crate::PublicClient;

/// A server on loopback that accepts requests without a body and returns their headers through the channel.
fn server() -> (SocketAddr, Receiver<HeaderMap>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, headers) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: HeaderMap = lines
                .skip(1)
                .take_while(|line| !line.is_empty())
                .map(|line| {
                    let (name, value) = line.split_once(": ").unwrap();
                    (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
                })
                .collect();
            sender.send(head).unwrap();
            let response = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(response).unwrap();
        }
    });
    (address, headers)
}

const NAME: &str = "x-correlation-id";

fn credentials() -> SharedCredentialsProvider {
    SharedCredentialsProvider::new(Credentials::new("id", "key", Some("token".to_owned()), None, "test"))
}

#[tokio::test]
async fn every_client_sends_a_user_agent() {
    let (address, headers) = server();
    let timeout = Duration::from_secs(5);
    let connector = Connector::new(RootCertStore::empty(), CONNECT_TIMEOUT);
    let clients: [Box<dyn HttpClient>; 3] = [
        Box::new(UnsignedClient::new(timeout)),
        Box::new(SignedClient::new(connector, credentials(), "eu-central-1", "execute-api")),
        Box::new(PublicClient::new(timeout, Some(address.to_string().parse().unwrap()))),
    ];
    for client in clients {
        let request = Request::get(format!("http://{address}/v1/products/TEA-001"));
        client.send(request.body(Bytes::new()).unwrap()).await.unwrap();
        let sent = headers.recv().unwrap();
        assert!(sent[USER_AGENT].to_str().unwrap().starts_with("serverless-orders/"), "{sent:?}");
    }
}

#[tokio::test]
async fn a_signature_matches_the_request_that_is_sent() {
    let (address, headers) = server();
    let client = SignedClient::new(
        Connector::new(RootCertStore::empty(), CONNECT_TIMEOUT),
        credentials(),
        "eu-central-1",
        "execute-api",
    );
    let url = format!("http://{address}/v1/products/TEA-001");
    let request = Request::get(&url).header(NAME, "request-1").body(Bytes::new()).unwrap();
    client.send(request).await.unwrap();

    // Verified as API Gateway does it, from the signed headers as they were received.
    let sent = headers.recv().unwrap();
    let text = |name: &str| sent[name].to_str().unwrap();
    let signed = text("authorization").split_once("SignedHeaders=").unwrap().1.split(',').next().unwrap();
    let names: Vec<&str> = signed.split(';').collect();
    assert_eq!(names, ["host", "x-amz-date", "x-amz-security-token", NAME]);
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text("x-amz-date")).unwrap();
    let time = jiff::tz::TimeZone::UTC.to_timestamp(time).unwrap();
    let identity = Credentials::new("id", "key", Some("token".to_owned()), None, "test").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-central-1")
        .name("execute-api")
        .time(SystemTime::try_from(time).unwrap())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let headers = [(NAME, text(NAME))].into_iter();
    let signable = SignableRequest::new("GET", url.as_str(), headers, SignableBody::Bytes(b"")).unwrap();
    let mut again = Request::get(&url).body(Bytes::new()).unwrap();
    sign(signable, &parameters).unwrap().into_parts().0.apply_to_request_http1x(&mut again);
    assert_eq!(sent[AUTHORIZATION], again.headers()[AUTHORIZATION]);
}
