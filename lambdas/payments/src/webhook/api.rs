//! The route of the webhook endpoint.

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use platform::http::{Access, FieldError, Operation, Problem, RequestCause, Routes};
use platform::{Clock, Publisher};

use super::contract;
use super::report::Report;
use super::secrets::Secrets;
use super::signature::{Signature, SignatureError};

const SIGNATURE_HEADER: &str = "stripe-signature";

/// The maximum size of a body. An event about a PaymentIntent has about 5 KB; other events of the account may
/// be larger.
const MAX_BODY_BYTES: usize = 256 * 1024;

/// The dependencies of the route.
pub struct WebhookApi {
    /// The signing secrets of the endpoint.
    pub secrets: Secrets,
    /// Publishes on the bus.
    pub publisher: Arc<dyn Publisher>,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
}

/// Creates the router.
pub fn router(api: WebhookApi) -> Router {
    routes().router(Arc::new(api))
}

/// Returns the route with its description for the contract.
pub fn routes() -> Routes<Arc<WebhookApi>> {
    // Stripe has no access token: its signature authenticates it.
    Routes::default().add(
        Operation::post("/webhooks/stripe", "receiveStripeEvent", Access::Public, contract::describe_receive),
        receive,
    )
}

/// Responds with 204 once the event has been published, or if it is not relevant. After any other response
/// than 2xx, Stripe retries for up to three days (<https://docs.stripe.com/webhooks#retries>).
async fn receive(
    State(api): State<Arc<WebhookApi>>,
    RequestCause(cause): RequestCause,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.map_err(|_| Problem::too_large(MAX_BODY_BYTES))?;
    api.verify(&parts.headers, &body).await?;
    let report = Report::parse(&body).map_err(|why| {
        tracing::error!(%why, "Stripe sent an event that cannot be parsed");
        Problem::invalid(vec![FieldError::pointer("", "must be an event of Stripe's API")])
    })?;
    let Some(report) = report else {
        tracing::info!("the event is not relevant");
        return Ok(StatusCode::NO_CONTENT);
    };
    tracing::Span::current().record("order_id", report.order_id.to_string());
    let reported = &report.reported;
    tracing::info!(payment_intent = %reported.payment_intent, report = %reported.report, status = ?reported.status, "PaymentIntent reported");
    api.publisher.publish(&[report.into_event(cause)]).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl WebhookApi {
    /// Verifies that Stripe has signed the request, within the tolerance.
    async fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
        let signature =
            parse_signature(headers).and_then(|signature| signature.check_timestamp(self.clock.now()));
        let signature = signature.map_err(reject)?;
        if signature.matches(&self.secrets.cached().await?, body) {
            return Ok(());
        }
        match self.secrets.refresh().await? {
            Some(secrets) if signature.matches(&secrets, body) => Ok(()),
            _ => Err(reject(SignatureError::Mismatch)),
        }
    }
}

fn parse_signature(headers: &HeaderMap) -> Result<Signature<'_>, SignatureError> {
    let header = headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    Signature::parse(header.ok_or(SignatureError::Missing)?)
}

/// The reason is only logged, so that the response does not help to forge a signature.
fn reject(why: SignatureError) -> Problem {
    tracing::warn!(%why, "invalid Stripe signature");
    let detail = "must be Stripe's signature of this body, made within the last five minutes";
    Problem::invalid(vec![FieldError::header("Stripe-Signature", detail)])
}
