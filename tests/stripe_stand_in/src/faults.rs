//! Fault injection: the kinds of failure, and the operations and orders that they apply to.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::Operation;

/// The operations that a fault applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Creating a PaymentIntent.
    Create,
    /// Confirming a PaymentIntent.
    Confirm,
    /// Retrieving a PaymentIntent.
    Retrieve,
    /// Canceling a PaymentIntent.
    Cancel,
    /// Listing the PaymentIntents of an order.
    List,
    /// Creating a refund.
    Refund,
    /// All of these, and retrieving or listing refunds.
    Any,
}

impl Target {
    fn covers(self, operation: Operation) -> bool {
        match self {
            Self::Any => true,
            Self::Create => operation == Operation::Create,
            Self::Confirm => operation == Operation::Confirm,
            Self::Retrieve => operation == Operation::Retrieve,
            Self::Cancel => operation == Operation::Cancel,
            Self::List => operation == Operation::List,
            Self::Refund => operation == Operation::Refund,
        }
    }
}

/// Whether the operation takes effect despite the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The fault is injected first: the operation has no effect.
    #[default]
    Before,
    /// The operation takes effect; its response is lost or replaced.
    After,
}

/// The kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The endpoint fails. As at Stripe, the 500 is saved under the idempotency key.
    #[serde(rename = "http_500")]
    Http500,
    /// The API is unavailable behind its front end. The 503 is not saved; after the effect, the key holds the
    /// endpoint's own response.
    #[serde(rename = "http_503")]
    Http503,
    /// Too many requests. Always before the effect; not saved.
    #[serde(rename = "http_429")]
    Http429,
    /// The idempotency key is in use. Always before the effect; not saved.
    #[serde(rename = "conflict_409")]
    Conflict409,
    /// The request is refused with `status` and the error object `error`. Always before the effect; not saved.
    #[serde(rename = "error")]
    Error,
    /// The connection is closed after `delay_ms`, without a response.
    #[serde(rename = "timeout")]
    Timeout,
    /// The connection is closed without a response.
    #[serde(rename = "reset")]
    Reset,
    /// The endpoint takes `delay_ms` longer, during which it holds the idempotency key, and then responds
    /// normally; it completes even if the client has disconnected. `before`: waits, then takes effect;
    /// `after`: takes effect, then waits.
    #[serde(rename = "slow")]
    Slow,
}

/// The points of request processing at which a fault can be injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// Before the idempotency layer.
    OnRequest,
    /// In the endpoint, before the operation takes effect.
    BeforeEffect,
    /// In the endpoint, after the effect and before the response is saved.
    AfterEffect,
    /// After the response is saved, before it is sent.
    OnResponse,
}

/// The request to add a fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFault {
    /// The operations that the fault applies to.
    pub operation: Target,
    /// Whether the fault is injected before or after the effect.
    #[serde(default)]
    pub effect: Effect,
    /// The kind of failure.
    pub kind: Kind,
    /// How many times to inject the fault; `null` or absent: until it is cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// Restricts the fault to the order with this `metadata[order_id]`.
    #[serde(default)]
    pub order_id: Option<String>,
    /// The delay in milliseconds; by default 60 000 for `timeout`, 1 000 for `slow` and 0 for the others.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// The HTTP status of an `error`; by default 400.
    #[serde(default)]
    pub status: Option<u16>,
    /// The error object of an `error`, such as `{"type": "invalid_request_error"}`.
    #[serde(default)]
    pub error: Option<Value>,
}

/// A fault, and how many times it has been injected.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// The id for `DELETE /_control/faults/{id}`.
    pub id: u64,
    /// The operations that the fault applies to.
    pub operation: Target,
    /// Whether the fault is injected before or after the effect.
    pub effect: Effect,
    /// The kind of failure.
    pub kind: Kind,
    /// How many times to inject it in total; `null`: until it is cleared.
    pub times: Option<u32>,
    /// The order that the fault is restricted to.
    pub order_id: Option<String>,
    /// The delay in milliseconds.
    pub delay_ms: u64,
    /// How many times it has been injected.
    pub fired: u32,
    /// The HTTP status and the error object of an `error`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<(u16, Value)>,
}

impl Fault {
    /// Returns how long the request is delayed.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn point(&self) -> FaultPoint {
        match (self.kind, self.effect) {
            (Kind::Http500 | Kind::Slow, Effect::Before) => FaultPoint::BeforeEffect,
            (Kind::Http500 | Kind::Slow, Effect::After) => FaultPoint::AfterEffect,
            (Kind::Http429 | Kind::Conflict409 | Kind::Error, _) | (_, Effect::Before) => {
                FaultPoint::OnRequest
            }
            (_, Effect::After) => FaultPoint::OnResponse,
        }
    }

    fn matches(&self, point: FaultPoint, operation: Operation, order_id: Option<&str>) -> bool {
        self.point() == point
            && self.operation.covers(operation)
            && self.times.is_none_or(|times| self.fired < times)
            && self.order_id.as_deref().is_none_or(|wanted| order_id == Some(wanted))
    }
}

/// All faults, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    /// Adds a fault.
    ///
    /// # Errors
    /// When the combination of fields is invalid, with a message that says how to fix it.
    pub fn add(&mut self, new: NewFault) -> Result<Fault, &'static str> {
        if new.times == Some(0) {
            return Err("`times` must be at least 1; omit it for a fault that stays until it is cleared");
        }
        let rejects = matches!(new.kind, Kind::Http429 | Kind::Conflict409 | Kind::Error);
        if rejects && new.effect == Effect::After {
            return Err(
                "http_429, conflict_409 and error reject the request: their `effect` can only be `before`",
            );
        }
        let response = match (new.kind, new.status, new.error) {
            (Kind::Error, status, Some(error)) => Some((status.unwrap_or(400), error)),
            (Kind::Error, _, None) => return Err("`error` must be the error object of the response"),
            (_, None, None) => None,
            _ => return Err("`status` and `error` are only for the kind `error`"),
        };
        if response.as_ref().is_some_and(|(status, _)| !(400..=599).contains(status)) {
            return Err("`status` must be 400 to 599");
        }
        let delay_ms = new.delay_ms.unwrap_or(match new.kind {
            Kind::Timeout => 60_000,
            Kind::Slow => 1_000,
            _ => 0,
        });
        self.last_id += 1;
        let fault = Fault {
            id: self.last_id,
            operation: new.operation,
            effect: new.effect,
            kind: new.kind,
            times: new.times,
            order_id: new.order_id,
            delay_ms,
            fired: 0,
            response,
        };
        self.faults.push(fault.clone());
        Ok(fault)
    }

    /// Returns the first matching fault and counts the injection.
    pub fn trigger(
        &mut self,
        point: FaultPoint,
        operation: Operation,
        order_id: Option<&str>,
    ) -> Option<Fault> {
        let fault = self.faults.iter_mut().find(|fault| fault.matches(point, operation, order_id))?;
        fault.fired += 1;
        Some(fault.clone())
    }

    /// Returns all faults, including those that are used up.
    pub fn all(&self) -> &[Fault] {
        &self.faults
    }

    /// Clears the fault with this id, or all. Returns the number of cleared faults.
    pub fn clear(&mut self, id: Option<u64>) -> usize {
        let before = self.faults.len();
        self.faults.retain(|fault| id.is_some_and(|id| id != fault.id));
        before - self.faults.len()
    }
}
