//! Webhooks for partners: subscriptions, signed deliveries and their management.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use end_to_end::{ApiResponse, Partner, Product, Requirement, Stack, WAIT_TIMEOUT, wait_for};
use futures::future::join_all;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, Method, StatusCode};
use platform::lock;
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;

use crate::{shared, shared_with};

/// Sends a request of a partner with a new idempotency key.
async fn call(
    stack: &Stack,
    partner: &Partner,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> ApiResponse {
    call_with_key(stack, partner, method, path, &Uuid::new_v4().to_string(), body).await
}

async fn call_with_key(
    stack: &Stack,
    partner: &Partner,
    method: Method,
    path: &str,
    key: &str,
    body: Option<&Value>,
) -> ApiResponse {
    let headers: Vec<(&str, &str)> =
        partner.headers().into_iter().chain([("idempotency-key", key)]).collect();
    stack.api(method, path, &headers, body).await.unwrap()
}

/// Places an order for a customer of the partner.
async fn order(stack: &Stack, partner: &Partner, product: &Product) -> String {
    let body = json!({
        "customer": { "id": "cust-1", "name": "Ada Lovelace", "email": "ada@example.com" },
        "payment_method": "pm_card_visa",
        "lines": [{
            "sku": product.sku, "quantity": 1, "unit_price": { "amount": product.cents, "currency": "EUR" },
        }],
    });
    let response = call(stack, partner, Method::POST, "/partner/orders", Some(&body)).await;
    response.expect(StatusCode::CREATED).unwrap().body["id"].as_str().unwrap().to_owned()
}

/// A received request.
#[derive(Debug, Clone)]
struct Received {
    headers: HeaderMap,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Verifies the signature by the Standard Webhooks specification, independently of our code.
    fn is_signed_with(&self, secret: &str) -> bool {
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        let signed = [self.header("webhook-id"), self.header("webhook-timestamp"), &self.body].join(".");
        mac.update(signed.as_bytes());
        let signature = BASE64_STANDARD.decode(self.header("webhook-signature").strip_prefix("v1,").unwrap());
        mac.verify_slice(&signature.unwrap()).is_ok()
    }
}

/// A partner's server, whose first few responses are errors.
struct Receiver {
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    fn start(address: &str, failures: usize) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let received: Arc<Mutex<Vec<Received>>> = Arc::default();
        let own = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read_request(&mut BufReader::new(&mut stream)) else { continue };
                let mut all = lock(&own);
                all.push(request);
                let status = if all.len() <= failures { "503 Service Unavailable" } else { "204 No Content" };
                let response = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                let _ = stream.write_all(response.as_bytes());
            }
        });
        Self { received }
    }

    fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }
}

fn read_request(stream: &mut impl BufRead) -> Option<Received> {
    let mut headers = HeaderMap::new();
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.parse::<HeaderName>().ok()?, value.parse().ok()?);
    }
    let length: u64 = headers.get("content-length")?.to_str().ok()?.parse().ok()?;
    let mut body = String::new();
    stream.take(length).read_to_string(&mut body).ok()?;
    Some(Received { headers, body })
}

#[tokio::test]
async fn events_are_signed_retried_and_resent_on_request() {
    let Some((stack, _guard)) = shared_with(&[Requirement::WebhookReceiver]).await else { return };
    let address = std::env::var("E2E_WEBHOOK_RECEIVER").unwrap();
    let receiver = Receiver::start(&address, 2);
    let partner = stack.create_partner().await.unwrap();
    let key = Uuid::new_v4().to_string();
    let body =
        json!({ "url": format!("http://{address}/hook"), "events": ["order.created", "payment.succeeded"] });
    let created = call_with_key(&stack, &partner, Method::POST, "/webhooks", &key, Some(&body)).await;
    let created = created.expect(StatusCode::CREATED).unwrap().body;
    let replayed = call_with_key(&stack, &partner, Method::POST, "/webhooks", &key, Some(&body)).await;
    assert_eq!(replayed.body, created, "the replayed request creates no other webhook");
    let webhook = format!("/webhooks/{}", created["id"].as_str().unwrap());
    let secret = created["secret"].as_str().unwrap();

    let product = stack.create_product(1250, 5).await.unwrap();
    let order_id = order(&stack, &partner, &product).await;
    let path = format!("{webhook}/deliveries");
    let deliveries = wait_for("both events to be delivered", WAIT_TIMEOUT, async || {
        let page = call(&stack, &partner, Method::GET, &path, None).await.expect(StatusCode::OK)?.body;
        let all = page["deliveries"].as_array().cloned().unwrap_or_default();
        let done = all.len() == 2 && all.iter().all(|delivery| delivery["state"] == "delivered");
        Ok(done.then_some(all))
    })
    .await;
    let attempts: Vec<&Value> = deliveries.iter().flat_map(|it| it["attempts"].as_array().unwrap()).collect();
    assert_eq!(attempts.iter().filter(|attempt| attempt["status"] == 503).count(), 2, "{attempts:?}");

    let received = receiver.received();
    assert_eq!(received.len(), 4, "two failed, two succeeded: {received:?}");
    for request in &received {
        assert!(request.is_signed_with(secret), "{request:?}");
        let data = &request.event()["data"];
        assert_eq!((&data["order_id"], &data["customer_id"]), (&json!(order_id), &json!("cust-1")));
        assert!(!request.body.contains("Ada") && !request.body.contains("ada@"), "{}", request.body);
    }
    let ids: BTreeSet<&str> = received.iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), 2, "a retry has the same id");

    let delivery = format!("{path}/{}", deliveries[0]["event_id"].as_str().unwrap());
    let resend = format!("{delivery}/resend");
    call(&stack, &partner, Method::POST, &resend, None).await.expect(StatusCode::ACCEPTED).unwrap();
    wait_for("the event to be sent again", WAIT_TIMEOUT, async || {
        Ok((receiver.received().len() == 5).then_some(()))
    })
    .await;
    let last = receiver.received().pop().unwrap();
    assert!(ids.contains(last.header("webhook-id")) && last.is_signed_with(secret), "{last:?}");

    let other = stack.create_partner().await.unwrap();
    for path in [&webhook, &path, &delivery] {
        let response = call(&stack, &other, Method::GET, path, None).await;
        assert_eq!(response.status, StatusCode::NOT_FOUND, "{path}: {response:?}");
    }
    call(&stack, &partner, Method::DELETE, &webhook, None).await.expect(StatusCode::NO_CONTENT).unwrap();
    let dead_letters = stack.dead_letters("DeliverWebhookDeadLetters", &order_id).await.unwrap();
    assert!(dead_letters.is_empty(), "{dead_letters:?}");
}

/// The writers of a record wait for each other instead of failing.
#[tokio::test]
async fn parallel_writes_of_a_record_all_get_an_answer() {
    let (stack, _guard) = shared().await;
    let partner = stack.create_partner().await.unwrap();
    let body = json!({ "url": "https://hooks.example.com/orders" });
    let subscribe = || call(&stack, &partner, Method::POST, "/webhooks", Some(&body));
    let responses = join_all((0..20).map(|_| subscribe())).await;
    let mut statuses: Vec<u16> = responses.iter().map(|response| response.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[201; 10], [409; 10]].concat());

    let ada = stack.create_customer().await.unwrap();
    let headers = [("authorization", ada.bearer.as_str())];
    let profile = json!({ "name": "Ada Lovelace", "email": "ada@example.com", "addresses": [] });
    let put = || stack.api(Method::PUT, "/me", &headers, Some(&profile));
    for response in join_all((0..20).map(|_| put())).await {
        response.unwrap().expect(StatusCode::OK).unwrap();
    }
}

#[tokio::test]
async fn a_url_to_a_private_address_is_rejected() {
    let (stack, _guard) = shared().await;
    let partner = stack.create_partner().await.unwrap();
    for url in [
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "https://localhost/",
        "https://metadata.google.internal/",
        "https://hooks.corp/",
        "https://api.default.svc/",
        "https://printer/",
        "http://127.0.0.1:4587/",
        "http://example.com/",
    ] {
        let response = call(&stack, &partner, Method::POST, "/webhooks", Some(&json!({ "url": url }))).await;
        assert_eq!(response.status, StatusCode::BAD_REQUEST, "{url}: {response:?}");
        assert_eq!(response.error_locations(), ["/url"], "{url}: {response:?}");
    }
}
