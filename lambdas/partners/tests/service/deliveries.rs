//! Looking at deliveries, and having them sent again.

use domain::Event;
use http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::{Service, committed, order_id, wish};

#[tokio::test]
async fn deliveries_come_in_pages_the_newest_first() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let mut sent = Vec::new();
    for number in 0..5 {
        let made = service.event(wish());
        let event = Event::new(order_id(number), made.fact, made.time, made.cause);
        service.deliver(&event).await.unwrap();
        sent.insert(0, event.id.to_string());
        service.clock.advance(SignedDuration::from_secs(1));
    }
    let (mut path, mut found) = (format!("{webhook}/deliveries?limit=2"), Vec::new());
    loop {
        let page = service.get(&path).await.body;
        let ids = page["deliveries"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["event_id"].as_str().unwrap().to_owned());
        found.extend(ids);
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("{webhook}/deliveries?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(found, sent);
}

#[tokio::test]
async fn what_was_delivered_is_sent_again_with_the_same_id() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    let answer = service.resend(&webhook, &event).await;
    assert_eq!((answer.status, &answer.body["state"]), (StatusCode::ACCEPTED, &json!("pending")));
    let [again] = service.queue.sent().try_into().unwrap();
    service.deliver(&again).await.unwrap();
    let requests = service.receivers.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body(), requests[1].body());
    assert_eq!(requests[0].headers()["webhook-id"], requests[1].headers()["webhook-id"]);
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(
        (&delivery["state"], delivery["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 2)
    );
}

#[tokio::test]
async fn what_was_given_up_gets_all_attempts_again() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([None; 19]);
    let event = service.paid();
    service.deliver_to_the_end(&event).await;
    service.resend(&webhook, &event).await;
    service.deliver_to_the_end(&service.queue.sent()[0]).await;
    let delivery = service.delivery(&webhook, &event).await;
    assert_eq!(
        (&delivery["state"], delivery["attempts"].as_array().unwrap().len()),
        (&json!("delivered"), 20)
    );
}

#[tokio::test]
async fn asking_again_while_it_is_pending_changes_nothing() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    service.receivers.answer([None]);
    let event = service.paid();
    service.deliver(&event).await.unwrap_err();
    let before = service.delivery(&webhook, &event).await;
    let answer = service.resend(&webhook, &event).await;
    assert_eq!((answer.status, answer.body), (StatusCode::ACCEPTED, before));
    assert!(service.queue.sent().is_empty(), "its message comes again by itself");
}

/// The queue did not take it: whoever asks again has it sent.
#[tokio::test]
async fn a_wish_that_got_lost_can_be_repeated() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    service.queue.failures.fail_next(1);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::ACCEPTED);
    assert_eq!(service.resend(&webhook, &event).await.status, StatusCode::ACCEPTED);
    for again in service.queue.sent() {
        service.deliver(&again).await.unwrap();
    }
    assert_eq!(service.receivers.requests().len(), 2, "however many messages there are");
}

#[tokio::test]
async fn a_resend_goes_to_the_one_who_asked_for_it() {
    let service = Service::new();
    let one = service.subscribed("key-1").await;
    service.subscribed("key-2").await;
    let event = service.paid();
    service.deliver(&event).await.unwrap();
    service.resend(&one, &event).await;
    service.deliver(&service.queue.sent()[0]).await.unwrap();
    assert_eq!(service.receivers.requests().len(), 3);
}

#[tokio::test]
async fn what_cannot_be_sent_again() {
    let service = Service::new();
    let webhook = service.subscribed("key-1").await;
    let event = service.paid();
    assert_eq!(service.resend(&webhook, &service.event(committed())).await.problem(), (404, "not-found"));
    service.deliver(&event).await.unwrap();
    service.clock.advance(SignedDuration::from_hours(29 * 24));
    assert_eq!(service.resend(&webhook, &event).await.problem(), (409, "event-too-old"));
}
