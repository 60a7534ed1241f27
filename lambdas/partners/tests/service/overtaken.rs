//! Deliveries of which one store call fails, and attempts that outlast their lease.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Event;
use http::{Request, Response, StatusCode};
use jiff::SignedDuration;
use partners::deliver::DeliverWebhook;
use platform::Failure;
use platform::http_client::{HttpClient, NoResponse};
use serde_json::json;

use crate::support::{Service, handle};

#[tokio::test]
async fn a_failing_store_of_one_delivery_does_not_prevent_the_others() {
    let service = Service::new();
    let one = service.subscribed("key-1").await;
    let other = service.subscribed("key-2").await;
    let event = service.paid();
    service.deliveries.write_failures.fail_next(1);
    assert!(matches!(service.deliver(&event).await, Err(Failure::Retry(_))));
    assert_eq!(service.receivers.requests().len(), 1, "the other delivery is attempted");
    assert_eq!(service.delivery(&one, &event).await["state"], json!(null), "nothing is recorded");
    assert_eq!(service.delivery(&other, &event).await["state"], json!("delivered"));
    service.deliver_until_final(&event).await;
    assert_eq!(service.receivers.requests().len(), 2);
    assert_eq!(service.delivery(&one, &event).await["state"], json!("delivered"));
}

/// A receiver that responds with 410 so late that another attempt has delivered the event meanwhile.
struct Overtaken(&'static Service, Event);

#[async_trait]
impl HttpClient for Overtaken {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        self.0.clock.advance(SignedDuration::from_secs(46));
        self.0.deliver(&self.1).await.unwrap();
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::GONE;
        Ok(response)
    }
}

#[tokio::test]
async fn the_result_of_an_attempt_that_was_overtaken_does_not_count() {
    let service: &'static Service = Box::leak(Box::new(Service::new()));
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    let overtaken =
        DeliverWebhook { client: Arc::new(Overtaken(service, event.clone())), ..service.function() };
    // The message is redelivered, and finds that there is nothing left to do.
    let Err(Failure::Leased { until }) = handle(&overtaken, &event).await else { panic!("it was overtaken") };
    assert_eq!(until, service.now());
    service.deliver(&event).await.unwrap();
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(
        (&delivery["state"], delivery["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 1)
    );
    let read = service.get(&webhook).await.body;
    assert_eq!((&read["enabled"], read.get("failing_since")), (&json!(true), None), "the webhook is healthy");
    assert_eq!(service.receivers.requests().len(), 1);
}
