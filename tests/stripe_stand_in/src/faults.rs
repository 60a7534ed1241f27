//! Faults on demand: what a test can make go wrong, for which operation and order, and how often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::operation::Operation;

/// The operations that a fault is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Making a PaymentIntent.
    Create,
    /// Confirming one.
    Confirm,
    /// Reading one.
    Retrieve,
    /// Canceling one.
    Cancel,
    /// Listing them.
    List,
    /// Giving money back.
    Refund,
    /// All of these, and reading refunds.
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

/// Whether the operation takes effect although the fault happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The fault comes first: nothing happens.
    #[default]
    Before,
    /// The effect is there; it is the answer that goes wrong.
    After,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The endpoint breaks. Stripe keeps this answer under the idempotency key.
    #[serde(rename = "http_500")]
    Http500,
    /// The API cannot be reached behind its front. Nothing of it is kept; after the effect, the key holds
    /// the endpoint's own answer.
    #[serde(rename = "http_503")]
    Http503,
    /// Too many requests. Always before the effect; not kept.
    #[serde(rename = "http_429")]
    Http429,
    /// The idempotency key is in use. Always before the effect; not kept.
    #[serde(rename = "conflict_409")]
    Conflict409,
    /// No answer for `delay_ms`, then the connection is closed.
    #[serde(rename = "timeout")]
    Timeout,
    /// The connection is closed without an answer.
    #[serde(rename = "reset")]
    Reset,
    /// The endpoint works for `delay_ms`, holding the idempotency key, and then answers as it should; also
    /// when the client has gone meanwhile. `before`: waits, then takes effect; `after`: the other way round.
    #[serde(rename = "slow")]
    Slow,
}

/// The moments of a request at which a fault can trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultPoint {
    /// Before the idempotency key is looked at.
    OnRequest,
    /// The endpoint has begun, but nothing has happened yet.
    BeforeEffect,
    /// The effect is there, and the answer not yet kept.
    AfterEffect,
    /// The answer is kept, and on its way out.
    OnResponse,
}

/// A fault as a test asks for it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewFault {
    /// What it is aimed at.
    pub operation: Target,
    /// Before or after the effect.
    #[serde(default)]
    pub effect: Effect,
    /// What goes wrong.
    pub kind: Kind,
    /// How often; `null` or left out: until it is cleared.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only for the order with this `metadata[order_id]`.
    #[serde(default)]
    pub order_id: Option<String>,
    /// For how many milliseconds the fault holds the request; if left out, 60 000 for `timeout`, 1 000 for
    /// `slow` and 0 for the others.
    #[serde(default)]
    pub delay_ms: Option<u64>,
}

/// A fault that waits for its requests, and how often it has triggered.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// To clear it by.
    pub id: u64,
    /// What it is aimed at.
    pub operation: Target,
    /// Before or after the effect.
    pub effect: Effect,
    /// What goes wrong.
    pub kind: Kind,
    /// How often in all; `null`: until it is cleared.
    pub times: Option<u32>,
    /// Only for this order.
    pub order_id: Option<String>,
    /// Milliseconds.
    pub delay_ms: u64,
    /// How often it has triggered.
    pub fired: u32,
}

impl Fault {
    /// How long it holds the request.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    fn point(&self) -> FaultPoint {
        match (self.kind, self.effect) {
            (Kind::Http500 | Kind::Slow, Effect::Before) => FaultPoint::BeforeEffect,
            (Kind::Http500 | Kind::Slow, Effect::After) => FaultPoint::AfterEffect,
            (Kind::Http429 | Kind::Conflict409, _) | (_, Effect::Before) => FaultPoint::OnRequest,
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

/// All faults, in the order they were asked for.
#[derive(Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    /// Adds one.
    ///
    /// # Errors
    /// A sentence for people, when the fault makes no sense.
    pub fn add(&mut self, new: NewFault) -> Result<Fault, &'static str> {
        if new.times == Some(0) {
            return Err(
                "`times` must be at least 1; leave it out for a fault that stays until it is cleared",
            );
        }
        if matches!(new.kind, Kind::Http429 | Kind::Conflict409) && new.effect == Effect::After {
            return Err("http_429 and conflict_409 are refusals: their `effect` can only be `before`");
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
        };
        self.faults.push(fault.clone());
        Ok(fault)
    }

    /// The first fault that matches here, counted.
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

    /// All of them, also those that are used up.
    pub fn all(&self) -> &[Fault] {
        &self.faults
    }

    /// Clears the one with this id, or all. Returns how many.
    pub fn clear(&mut self, id: Option<u64>) -> usize {
        let before = self.faults.len();
        self.faults.retain(|fault| id.is_some_and(|id| id != fault.id));
        before - self.faults.len()
    }
}
