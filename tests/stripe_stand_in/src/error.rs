//! Errors in Stripe's format: <https://docs.stripe.com/api/errors>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The result of an API call. The error is boxed because it has many fields.
pub type Result<T> = std::result::Result<T, Box<StripeError>>;

/// Stripe's error types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// A failure of the API itself.
    ApiError,
    /// The card was declined.
    CardError,
    /// An idempotency key was reused for a different request.
    IdempotencyError,
    /// The request has invalid parameters or conflicts with the state of the object.
    InvalidRequestError,
}

/// The `error` object of a response, and its HTTP status.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StripeError {
    /// The HTTP status.
    #[serde(skip)]
    pub status: u16,
    /// The type of the error.
    #[serde(rename = "type")]
    pub kind: ErrorType,
    /// A message for developers.
    pub message: String,
    /// The machine-readable code: <https://docs.stripe.com/error-codes>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// The documentation page of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doc_url: Option<String>,
    /// The card issuer's reason: <https://docs.stripe.com/declines/codes>.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decline_code: Option<&'static str>,
    /// The parameter that the error refers to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub param: Option<String>,
    /// The id of the failed charge, after a decline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<String>,
    /// The current PaymentIntent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<Value>,
    /// The card that was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<Value>,
}

impl StripeError {
    fn new(status: u16, kind: ErrorType, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            status,
            kind,
            message: message.into(),
            code: None,
            doc_url: None,
            decline_code: None,
            param: None,
            charge: None,
            payment_intent: None,
            payment_method: None,
        })
    }

    /// 400: the request is invalid.
    pub fn invalid(message: impl Into<String>) -> Box<Self> {
        Self::new(400, ErrorType::InvalidRequestError, message)
    }

    /// 400 or 404: the id is unknown. `status` is 404 for an id in the path, otherwise 400.
    pub fn resource_missing(status: u16, message: impl Into<String>, param: &str) -> Box<Self> {
        Self::new(status, ErrorType::InvalidRequestError, message)
            .with_code("resource_missing")
            .with_param(param)
    }

    /// 401: the API key is missing or wrong.
    pub fn unauthorized(message: impl Into<String>) -> Box<Self> {
        Self::new(401, ErrorType::InvalidRequestError, message)
    }

    /// 402: the card was declined.
    pub fn card_declined(message: impl Into<String>) -> Box<Self> {
        Self::new(402, ErrorType::CardError, message)
    }

    /// 404: there is no route for this URL.
    pub fn unknown_url(method: &str, path: &str) -> Box<Self> {
        let message = format!(
            "Unrecognized request URL ({method}: {path}). See tests/stripe_stand_in/README.md for the routes of the stand-in."
        );
        Self::new(404, ErrorType::InvalidRequestError, message)
    }

    /// 400: the idempotency key was used for a different request.
    pub fn idempotency(message: impl Into<String>) -> Box<Self> {
        Self::new(400, ErrorType::IdempotencyError, message)
    }

    /// 409: a request with the same key is still in progress.
    pub fn key_in_use() -> Box<Self> {
        Self::new(
            409,
            ErrorType::InvalidRequestError,
            "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, and the other request is still going through).",
        )
        .with_code("idempotency_key_in_use")
    }

    /// 429: too many requests.
    pub fn rate_limit() -> Box<Self> {
        Self::new(
            429,
            ErrorType::InvalidRequestError,
            "Request rate limit exceeded. Learn more about rate limits at https://docs.stripe.com/rate-limits.",
        )
        .with_code("rate_limit")
    }

    /// 500 or 503: the API failed.
    pub fn api_error(status: u16) -> Box<Self> {
        Self::new(
            status,
            ErrorType::ApiError,
            "An unknown error occurred. (A fault that was injected into the stand-in.)",
        )
    }

    /// Adds a code and the link to its documentation.
    pub fn with_code(mut self: Box<Self>, code: &'static str) -> Box<Self> {
        self.doc_url = Some(format!("https://docs.stripe.com/error-codes#{}", code.replace('_', "-")));
        self.code = Some(code);
        self
    }

    /// Adds the name of the invalid parameter.
    pub fn with_param(mut self: Box<Self>, param: &str) -> Box<Self> {
        self.param = Some(param.to_owned());
        self
    }

    /// Adds the PaymentIntent that the request refers to.
    pub fn with_payment_intent(mut self: Box<Self>, payment_intent: Value) -> Box<Self> {
        self.payment_intent = Some(payment_intent);
        self
    }

    /// Returns the body of the response.
    pub fn body(&self) -> Value {
        json!({ "error": self })
    }

    /// Returns the label of the error in log lines: the code, or the type if there is none.
    pub fn label(&self) -> String {
        self.code.map_or_else(|| json!(self.kind).as_str().unwrap_or_default().to_owned(), str::to_owned)
    }
}
