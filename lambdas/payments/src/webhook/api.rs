//! The route.

use std::sync::Arc;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use http::{HeaderMap, StatusCode};
use platform::http::{Access, FieldError, Operation, OperationDescription, Problem, RequestCause, Routes};
use platform::{Clock, Publisher};

use super::report::Report;
use super::secrets::Secrets;
use super::signature::{Signature, Unverified};

const SIGNATURE: &str = "stripe-signature";
/// The most bytes that are read. An event about a PaymentIntent has about 5 KB; others that an account may send us
/// have more.
const LARGEST_BODY: usize = 256 * 1024;

/// What the route works on.
pub struct WebhookApi {
    /// What Stripe signs with.
    pub secrets: Secrets,
    /// The bus.
    pub publisher: Arc<dyn Publisher>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// The route.
pub fn router(api: WebhookApi) -> Router {
    routes().router(Arc::new(api))
}

/// The route, and what the contract says of it.
pub fn routes() -> Routes<Arc<WebhookApi>> {
    // Stripe has none of our tokens: its signature says who it is.
    Routes::default().add(
        Operation::post("/webhooks/stripe", "receiveStripeEvent", Access::Public, about_receive),
        receive,
    )
}

fn about_receive(it: &mut OperationDescription) {
    it.about(
        "Take what Stripe tells",
        "For Stripe alone: an event of its API, signed (<https://docs.stripe.com/webhooks>).",
    )
    .required_header::<String>(
        "Stripe-Signature",
        "Stripe's signature of the body, made within five minutes.",
    )
    .empty_response(204, "It is on the bus, or nothing for us.")
    .problem(413, "too-large", "The body is too large.");
}

/// Answers 204 once what Stripe tells is on the bus, or is not for us. To anything else than 2xx, Stripe sends it
/// again, for up to three days (<https://docs.stripe.com/webhooks#retries>).
async fn receive(
    State(api): State<Arc<WebhookApi>>,
    RequestCause(cause): RequestCause,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| Problem::too_large(LARGEST_BODY))?;
    api.verify(&parts.headers, &body).await?;
    let report = Report::read(&body).map_err(|why| {
        tracing::error!(%why, "Stripe sent what is not understood");
        Problem::invalid(vec![FieldError::pointer("", "must be an event of Stripe's API")])
    })?;
    let Some(report) = report else {
        tracing::info!("nothing that is for us");
        return Ok(StatusCode::NO_CONTENT);
    };
    tracing::Span::current().record("order_id", report.order_id.to_string());
    let reported = &report.reported;
    tracing::info!(payment_intent = %reported.payment_intent, report = %reported.report, status = ?reported.status, "reported");
    api.publisher.publish(&[report.into_event(cause)]).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl WebhookApi {
    /// That it was Stripe who sent this, and just now.
    async fn verify(&self, headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
        let signature = signature(headers).and_then(|signature| signature.timely(self.clock.now()));
        let signature = signature.map_err(refuse)?;
        if signature.is_by(&self.secrets.known().await?, body) {
            return Ok(());
        }
        match self.secrets.renewed().await? {
            Some(secrets) if signature.is_by(&secrets, body) => Ok(()),
            _ => Err(refuse(Unverified::Wrong)),
        }
    }
}

fn signature(headers: &HeaderMap) -> Result<Signature<'_>, Unverified> {
    let header = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    Signature::parse(header.ok_or(Unverified::Missing)?)
}

/// The reason goes to the log. Who guesses signatures is not told how near they are.
fn refuse(why: Unverified) -> Problem {
    tracing::warn!(%why, "not Stripe's");
    let what = "must be Stripe's signature of this body, made within the last five minutes";
    Problem::invalid(vec![FieldError::header("Stripe-Signature", what)])
}
