//! `webhooks-api`: subscribe to order events, read their deliveries, and redeliver events.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::{CustomerId, EventId};
use http::{HeaderMap, StatusCode, header};
use platform::Clock;
use platform::http::input::{PageInput, encode_cursor};
use platform::http::{
    Access, Caller, FieldError, IdempotencyKey, Json, Operation, Problem, Routes, Scope, parse_path_parameter,
};
use platform::net::LocalReceiver;
use platform::optimistic::{Attempts, Versioned};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::contract;
use crate::delivery::{Delivery, MAX_EVENT_AGE};
use crate::owner;
use crate::request::{ChangeWebhook, CreateWebhook, NewSubscription};
use crate::store::{Deliveries, DeliveryQueue, Partners, Position, SecretGenerator};
use crate::view::{DeliveryPage, DeliveryView, NewWebhookView, WebhookPage, WebhookView};
use crate::webhook::{Creation, MAX_WEBHOOKS, Subscribed, Webhook, WebhookId, parse_uuid};

/// The dependencies of the routes.
pub struct Api {
    /// The subscriptions of the partners.
    pub partners: Arc<dyn Partners>,
    /// The deliveries to the webhooks.
    pub deliveries: Arc<dyn Deliveries>,
    /// The queue for redeliveries.
    pub queue: Arc<dyn DeliveryQueue>,
    /// Generates signing secrets.
    pub secrets: Arc<dyn SecretGenerator>,
    /// A receiver on this machine that is exempt from the rule that webhooks are sent only to the public
    /// internet.
    pub exempt: Option<LocalReceiver>,
    /// The source of time and new ids.
    pub clock: Arc<dyn Clock>,
}

/// Creates the router.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the routes with their descriptions for the contract.
pub fn routes() -> Routes<Arc<Api>> {
    let partner = Access::Partner(Scope::PartnerWebhooks);
    let one = "/webhooks/{webhook_id}";
    let deliveries = "/webhooks/{webhook_id}/deliveries";
    let delivery = "/webhooks/{webhook_id}/deliveries/{event_id}";
    let resend = "/webhooks/{webhook_id}/deliveries/{event_id}/resend";
    Routes::default()
        .add(Operation::post("/webhooks", "createWebhook", partner, contract::describe_subscribe), subscribe)
        .add(Operation::get("/webhooks", "listWebhooks", partner, contract::describe_list), list)
        .add(Operation::get(one, "readWebhook", partner, contract::describe_read), read)
        .add(Operation::patch(one, "changeWebhook", partner, contract::describe_change), change)
        .add(Operation::delete(one, "removeWebhook", partner, contract::describe_remove), remove)
        .add(
            Operation::get(deliveries, "listDeliveries", partner, contract::describe_list_deliveries),
            list_deliveries,
        )
        .add(
            Operation::get(delivery, "readDelivery", partner, contract::describe_read_delivery),
            read_delivery,
        )
        .add(Operation::post(resend, "resendDelivery", partner, contract::describe_resend), resend_delivery)
}

async fn subscribe(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<CreateWebhook>, Problem>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let input = body.and_then(|Json(body)| body.validate(api.exempt));
    let (key, input) = IdempotencyKey::from_headers_and_body(&headers, "webhook", input)?;
    let NewSubscription { url, events, description } = input;
    let fields = serde_json::to_string(&(&url, &events, &description)).map_err(anyhow::Error::from)?;
    let now = api.clock.now();
    let new = Webhook {
        id: WebhookId::from(api.clock.new_id()),
        url,
        events,
        description,
        secret: api.secrets.generate()?,
        created_at: now,
        creation: Creation { key: hash(key.as_str()), fingerprint: hash(&fields) },
        health_reset_at: now,
        failing_since: None,
        disabled: None,
    };
    let mut attempts = Attempts::at(format!("the webhooks of {partner}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        match subscriptions.subscribe(&new) {
            Subscribed::Replayed(existing) => return created(&existing),
            Subscribed::KeyReused => return Err(Problem::idempotency_key_reused()),
            Subscribed::TooMany => {
                let detail = format!("You already have {MAX_WEBHOOKS} webhooks. Delete one, or update one.");
                return Err(Problem::conflict("too-many-webhooks", "Too many webhooks", detail));
            }
            Subscribed::Created => {
                if api.partners.replace(partner, &stored, &subscriptions).await? {
                    return created(&new);
                }
            }
        }
    }
}

fn created(webhook: &Webhook) -> Result<Response, Problem> {
    let location = format!("/v1/webhooks/{}", webhook.id);
    let body = Json(NewWebhookView { webhook: WebhookView::new(webhook), secret: webhook.secret.expose() });
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
}

fn hash(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

#[derive(Debug, Deserialize)]
struct PageQuery {
    limit: Option<String>,
    cursor: Option<String>,
}

impl PageQuery {
    fn parse<K: std::str::FromStr>(&self) -> Result<PageInput<K>, Problem> {
        PageInput::parse(self.limit.as_deref(), self.cursor.as_deref()).map_err(Problem::invalid)
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let page = query.parse::<WebhookId>()?;
    let stored = api.partners.get(partner).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut remaining =
        stored.value.all().iter().rev().filter(|webhook| page.after.is_none_or(|after| webhook.id < after));
    let found: Vec<&Webhook> = remaining.by_ref().take(limit).collect();
    let next = found.last().filter(|_| remaining.next().is_some()).map(|last| encode_cursor(&last.id));
    let webhooks = found.into_iter().map(WebhookView::new).collect();
    Ok(Json(WebhookPage { webhooks, next_cursor: next }).into_response())
}

async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
) -> Result<Response, Problem> {
    let webhook =
        api.find(owner::calling_partner(&caller)?, parse_path_parameter("webhook_id", &webhook_id)?).await?;
    Ok(Json(WebhookView::new(&webhook)).into_response())
}

async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
    body: Json<ChangeWebhook>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    let change = body.0.validate(api.exempt)?;
    let mut attempts = Attempts::at(format!("the webhooks of {partner}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        let changed =
            subscriptions.change(id, &change, api.clock.now()).ok_or_else(|| no_webhook(id))?.clone();
        if subscriptions == stored.value || api.partners.replace(partner, &stored, &subscriptions).await? {
            return Ok(Json(WebhookView::new(&changed)).into_response());
        }
    }
}

async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    let mut attempts = Attempts::at(format!("the webhooks of {partner}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        if !subscriptions.remove(id) {
            return Err(no_webhook(id));
        }
        if api.partners.replace(partner, &stored, &subscriptions).await? {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
}

fn no_webhook(id: WebhookId) -> Problem {
    Problem::not_found(format!("There is no webhook {id}."))
}

fn parse_event_id(text: &str) -> Result<EventId, Problem> {
    let id =
        parse_uuid(text).map_err(|why| Problem::invalid(vec![FieldError::parameter("event_id", why)]))?;
    Ok(id.into())
}

impl Api {
    /// Returns the webhook, if it belongs to the partner. The webhook of another partner is a 404, so that
    /// existing ids cannot be discovered.
    async fn find(&self, partner: &CustomerId, id: WebhookId) -> Result<Webhook, Problem> {
        self.partners.get(partner).await?.value.get(id).cloned().ok_or_else(|| no_webhook(id))
    }

    async fn find_delivery(
        &self,
        webhook: WebhookId,
        event: EventId,
    ) -> Result<Versioned<Delivery>, Problem> {
        let found = self.deliveries.get(webhook, event).await?;
        found.ok_or_else(|| {
            Problem::not_found(format!("There is no delivery of event {event} to this webhook."))
        })
    }
}

async fn list_deliveries(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    let page = query.parse::<Position>()?;
    api.find(partner, id).await?;
    let page = api.deliveries.list(id, page.after.as_ref(), page.limit).await?;
    let deliveries = page.deliveries.iter().map(DeliveryView::new).collect();
    Ok(Json(DeliveryPage { deliveries, next_cursor: page.next.as_ref().map(encode_cursor) }).into_response())
}

async fn read_delivery(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((webhook_id, event_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let (id, event) = (parse_path_parameter("webhook_id", &webhook_id)?, parse_event_id(&event_id)?);
    api.find(partner, id).await?;
    let found = api.find_delivery(id, event).await?;
    Ok(Json(DeliveryView::new(&found.value)).into_response())
}

async fn resend_delivery(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((webhook_id, event_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let partner = owner::calling_partner(&caller)?;
    let (id, event) = (parse_path_parameter("webhook_id", &webhook_id)?, parse_event_id(&event_id)?);
    let webhook = api.find(partner, id).await?;
    let mut attempts =
        Attempts::at(format!("the delivery of event {event} to webhook {id}"), api.clock.as_ref());
    loop {
        attempts.start().await?;
        let found = api.find_delivery(id, event).await?;
        let now = api.clock.now();
        if webhook.disabled.is_some() {
            let detail = "The webhook is disabled. Enable it first: PATCH it with {\"enabled\": true}.";
            return Err(Problem::conflict("webhook-disabled", "The webhook is disabled", detail));
        }
        if now.duration_since(found.value.event.time) > MAX_EVENT_AGE {
            let detail = "The event is older than 28 days. Get the order to see its current state.";
            return Err(Problem::conflict("event-too-old", "The event is too old", detail));
        }
        let (pending, must_enqueue) = match found.value.redelivery(now) {
            Some(redelivery) => match api.deliveries.write(Some(&found), &redelivery).await? {
                Some(written) => (written.value, true),
                None => continue,
            },
            // The delivery is pending. If it is overdue, its message may have been lost.
            None => {
                let overdue = found.value.is_overdue(now);
                (found.value, overdue)
            }
        };
        if must_enqueue {
            api.queue.send(&pending.event).await?;
        }
        return Ok(Json(DeliveryView::new(&pending)).with_status(StatusCode::ACCEPTED));
    }
}
