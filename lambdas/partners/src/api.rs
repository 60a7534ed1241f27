//! `webhooks-api`: subscribe to order events, look at their deliveries, and have them sent again.

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
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::contract;
use crate::delivery::{Delivery, OLDEST_EVENT};
use crate::owner;
use crate::request::{ChangeWebhook, CreateWebhook, Wish};
use crate::store::{Deliveries, DeliveryQueue, Partners, Position, Secrets, Versioned};
use crate::view::{DeliveryPage, DeliveryView, NewWebhookView, WebhookPage, WebhookView};
use crate::webhook::{Creation, MOST_WEBHOOKS, Subscribed, Webhook, WebhookId, uuid};

/// How often a write is tried again that somebody else was faster with.
const TRIES: usize = 5;

/// What the routes work on.
pub struct Api {
    /// The subscriptions.
    pub partners: Arc<dyn Partners>,
    /// What was sent to them.
    pub deliveries: Arc<dyn Deliveries>,
    /// Has something sent again.
    pub queue: Arc<dyn DeliveryQueue>,
    /// Makes signing secrets.
    pub secrets: Arc<dyn Secrets>,
    /// A receiver on this machine that webhooks may be sent to.
    pub exempt: Option<LocalReceiver>,
    /// Time and ids.
    pub clock: Arc<dyn Clock>,
}

/// The routes.
pub fn router(api: Api) -> Router {
    routes().router(Arc::new(api))
}

/// The routes, and what the contract says of them.
pub fn routes() -> Routes<Arc<Api>> {
    let partner = Access::Partner(Scope::PartnerWebhooks);
    let one = "/webhooks/{webhook_id}";
    let deliveries = "/webhooks/{webhook_id}/deliveries";
    let delivery = "/webhooks/{webhook_id}/deliveries/{event_id}";
    let resend = "/webhooks/{webhook_id}/deliveries/{event_id}/resend";
    Routes::default()
        .add(Operation::post("/webhooks", "createWebhook", partner, contract::about_subscribe), subscribe)
        .add(Operation::get("/webhooks", "listWebhooks", partner, contract::about_list), list)
        .add(Operation::get(one, "readWebhook", partner, contract::about_read), read)
        .add(Operation::patch(one, "changeWebhook", partner, contract::about_change), change)
        .add(Operation::delete(one, "removeWebhook", partner, contract::about_remove), remove)
        .add(
            Operation::get(deliveries, "listDeliveries", partner, contract::about_deliveries),
            list_deliveries,
        )
        .add(Operation::get(delivery, "readDelivery", partner, contract::about_delivery), read_delivery)
        .add(Operation::post(resend, "resendDelivery", partner, contract::about_resend), send_again)
}

async fn subscribe(
    State(api): State<Arc<Api>>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Json<CreateWebhook>, Problem>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let wish = body.and_then(|Json(body)| body.checked(api.exempt));
    let (key, wish) = IdempotencyKey::from_headers_and_body(&headers, "webhook", wish)?;
    let Wish { url, events, description } = wish;
    let asked = serde_json::to_string(&(&url, &events, &description)).map_err(anyhow::Error::from)?;
    let now = api.clock.now();
    let new = Webhook {
        id: WebhookId::from(api.clock.new_id()),
        url,
        events,
        description,
        secret: api.secrets.fresh()?,
        created_at: now,
        creation: Creation { key: hash(key.as_str()), fingerprint: hash(&asked) },
        trusted_since: now,
        failing_since: None,
        disabled: None,
    };
    for _ in 0..TRIES {
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        match subscriptions.subscribe(&new) {
            Subscribed::Before(before) => return created(&before),
            Subscribed::KeyReused => return Err(Problem::idempotency_key_reused()),
            Subscribed::TooMany => {
                let detail = format!("You have {MOST_WEBHOOKS} webhooks. Remove one, or change one.");
                return Err(Problem::conflict("too-many-webhooks", "Too many webhooks", detail));
            }
            Subscribed::Now => {
                if api.partners.replace(partner, &stored, &subscriptions).await? {
                    return created(&new);
                }
            }
        }
    }
    Err(contended(partner))
}

fn created(webhook: &Webhook) -> Result<Response, Problem> {
    let location = format!("/v1/webhooks/{}", webhook.id);
    let answer = Json(NewWebhookView { webhook: WebhookView::of(webhook), secret: webhook.secret.expose() });
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], answer).into_response())
}

fn contended(partner: &CustomerId) -> Problem {
    anyhow::anyhow!("the webhooks of {partner} changed {TRIES} times while they were being written").into()
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
    fn read<K: std::str::FromStr>(&self) -> Result<PageInput<K>, Problem> {
        PageInput::parse(self.limit.as_deref(), self.cursor.as_deref()).map_err(Problem::invalid)
    }
}

async fn list(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let page = query.read::<WebhookId>()?;
    let stored = api.partners.get(partner).await?;
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let mut behind =
        stored.value.all().iter().rev().filter(|webhook| page.after.is_none_or(|after| webhook.id < after));
    let found: Vec<&Webhook> = behind.by_ref().take(limit).collect();
    let next = found.last().filter(|_| behind.next().is_some()).map(|last| encode_cursor(&last.id));
    let webhooks = found.into_iter().map(WebhookView::of).collect();
    Ok(Json(WebhookPage { webhooks, next_cursor: next }).into_response())
}

async fn read(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
) -> Result<Response, Problem> {
    let webhook = api.find(owner::caller(&caller)?, parse_path_parameter("webhook_id", &webhook_id)?).await?;
    Ok(Json(WebhookView::of(&webhook)).into_response())
}

async fn change(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
    body: Json<ChangeWebhook>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    let change = body.0.checked(api.exempt)?;
    for _ in 0..TRIES {
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        let changed =
            subscriptions.change(id, &change, api.clock.now()).ok_or_else(|| no_webhook(id))?.clone();
        if subscriptions == stored.value || api.partners.replace(partner, &stored, &subscriptions).await? {
            return Ok(Json(WebhookView::of(&changed)).into_response());
        }
    }
    Err(contended(partner))
}

async fn remove(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(webhook_id): Path<String>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    for _ in 0..TRIES {
        let stored = api.partners.get(partner).await?;
        let mut subscriptions = stored.value.clone();
        if !subscriptions.remove(id) {
            return Err(no_webhook(id));
        }
        if api.partners.replace(partner, &stored, &subscriptions).await? {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    Err(contended(partner))
}

fn no_webhook(id: WebhookId) -> Problem {
    Problem::not_found(format!("There is no webhook {id}."))
}

fn event_id_of(text: &str) -> Result<EventId, Problem> {
    let id = uuid(text).map_err(|why| Problem::invalid(vec![FieldError::parameter("event_id", why)]))?;
    Ok(id.into())
}

impl Api {
    /// The webhook, if it is the partner's. Somebody else's is not there, so that nobody can find out which ids there
    /// are.
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
    let partner = owner::caller(&caller)?;
    let id = parse_path_parameter("webhook_id", &webhook_id)?;
    let page = query.read::<Position>()?;
    api.find(partner, id).await?;
    let page = api.deliveries.list(id, page.after.as_ref(), page.limit).await?;
    let deliveries = page.deliveries.iter().map(DeliveryView::of).collect();
    Ok(Json(DeliveryPage { deliveries, next_cursor: page.next.as_ref().map(encode_cursor) }).into_response())
}

async fn read_delivery(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((webhook_id, event_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let (id, event) = (parse_path_parameter("webhook_id", &webhook_id)?, event_id_of(&event_id)?);
    api.find(partner, id).await?;
    let found = api.find_delivery(id, event).await?;
    Ok(Json(DeliveryView::of(&found.value)).into_response())
}

async fn send_again(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path((webhook_id, event_id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let partner = owner::caller(&caller)?;
    let (id, event) = (parse_path_parameter("webhook_id", &webhook_id)?, event_id_of(&event_id)?);
    let webhook = api.find(partner, id).await?;
    for _ in 0..TRIES {
        let found = api.find_delivery(id, event).await?;
        let now = api.clock.now();
        if webhook.disabled.is_some() {
            let detail =
                "Nothing is sent to this webhook. Enable it first: PATCH it with {\"enabled\": true}.";
            return Err(Problem::conflict("webhook-disabled", "The webhook is disabled", detail));
        }
        if now.duration_since(found.value.event.time) > OLDEST_EVENT {
            let detail = "The event is older than 28 days. Read the order to see what became of it.";
            return Err(Problem::conflict("event-too-old", "The event is too old", detail));
        }
        let (pending, ask) = match found.value.again(now) {
            Some(again) => match api.deliveries.write(Some(&found), &again).await? {
                Some(written) => (written.value, true),
                None => continue,
            },
            // It was asked for before, and what should bring it on may have been lost on the way.
            None => {
                let overdue = found.value.is_overdue(now);
                (found.value, overdue)
            }
        };
        if ask {
            api.queue.send(&pending.event).await?;
        }
        return Ok(Json(DeliveryView::of(&pending)).with_status(StatusCode::ACCEPTED));
    }
    Err(anyhow::anyhow!("the delivery changed {TRIES} times while it was being asked for again").into())
}
