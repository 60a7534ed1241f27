use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

use http::StatusCode;
use tower::Service;

use super::*;

/// A server on loopback that sends this response on each connection.
fn server(response: Vec<u8>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&response);
        }
    });
    address
}

fn client(exempt: Option<SocketAddr>) -> PublicClient {
    let exempt = exempt.map(|address| address.to_string().parse().unwrap());
    PublicClient::new(Duration::from_secs(2), exempt)
}

async fn send(client: &PublicClient, uri: &str) -> Result<Response<Bytes>, String> {
    let request = Request::post(uri).body(Bytes::from_static(b"{}")).unwrap();
    client.send(request).await.map_err(|error| error.source.to_string())
}

const NOT_PUBLIC: &str = "the address is not public";

#[tokio::test]
async fn non_public_addresses_are_not_called() {
    let client = client(None);
    for host in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[fd00:ec2::254]"]
    {
        assert_eq!(send(&client, &format!("https://{host}/")).await.unwrap_err(), NOT_PUBLIC, "{host}");
    }
}

#[tokio::test]
async fn host_names_of_non_public_addresses_are_not_called() {
    let found = send(&client(None), "https://localhost/").await;
    assert_eq!(found.unwrap_err(), NOT_PUBLIC);
    // Legacy notations of IPv4 addresses that only a resolver accepts.
    for name in ["2130706433", "0x7f.1", "127.1", "017700000001"] {
        assert!(PublicResolver.call(name.parse().unwrap()).await.is_err(), "{name}");
        assert!(send(&client(None), &format!("https://{name}/")).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn only_the_exempt_receiver_is_called_without_tls() {
    let other = server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec());
    let exempt =
        server(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 2\r\n\r\nhi".to_vec());
    let client = client(Some(exempt));
    let response = send(&client, &format!("http://{exempt}/hook")).await.unwrap();
    assert_eq!((response.status(), response.body().as_ref()), (StatusCode::FOUND, b"hi".as_slice()));
    let port = exempt.port();
    for url in [format!("http://{other}/"), format!("http://localhost:{port}/"), "http://example.com/".into()]
    {
        assert_eq!(send(&client, &url).await.unwrap_err(), "the URL is not https", "{url}");
    }
    for url in [format!("https://{other}/"), format!("https://localhost:{port}/")] {
        assert_eq!(send(&client, &url).await.unwrap_err(), NOT_PUBLIC, "{url}");
    }
}

#[tokio::test]
async fn a_long_body_is_truncated_and_an_incomplete_one_is_returned() {
    let mut long = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n".to_vec();
    long.resize(long.len() + 1_000_000, b'x');
    let exempt = server(long);
    let response = send(&client(Some(exempt)), &format!("http://{exempt}/")).await.unwrap();
    assert_eq!(response.body().len(), MAX_RESPONSE_BYTES);

    let exempt = server(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n".to_vec());
    let response = send(&client(Some(exempt)), &format!("http://{exempt}/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);

    let exempt = server(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec());
    let response = send(&client(Some(exempt)), &format!("http://{exempt}/")).await.unwrap();
    assert_eq!((response.status(), response.body().as_ref()), (StatusCode::OK, b"half".as_slice()));
}

#[tokio::test]
async fn a_timeout_and_a_refused_connection_are_distinguished() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    assert_eq!(
        send(&client(Some(address)), &format!("http://{address}/")).await.unwrap_err(),
        "no answer within 2 s"
    );
    drop(silent);
    let refused = send(&client(Some(address)), &format!("http://{address}/")).await.unwrap_err();
    assert!(refused.starts_with("no connection: Connection refused"), "{refused}");
}
