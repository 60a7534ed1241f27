//! The service under test and its events.

use std::sync::Arc;

use domain::fact::{CancellationRequested, PaymentReported, ReportedStatus, ReservationConfirmed};
use domain::payment::Payment;
use domain::{Cause, Event, Fact, OrderDetails, OrderId, VoidReason};
use jiff::Timestamp;
use payments::adapters::memory::{InMemoryPayments, InMemoryProvider};
use payments::arbiter::{Arbiter, ProcessPayment, VoidPayment};
use payments::provider::Provider;
use payments::store::Payments;
use platform::memory::ManualClock;
use platform::{Clock, EventHandler, Failure};
use serde_json::json;
use uuid::Uuid;

pub(crate) struct Service {
    pub(crate) payments: Arc<InMemoryPayments>,
    pub(crate) provider: Arc<InMemoryProvider>,
    pub(crate) clock: Arc<ManualClock>,
    payment_method: &'static str,
    unit_price: u32,
}

pub(crate) fn order_id() -> OrderId {
    OrderId::from(Uuid::from_u128(1))
}

pub(crate) fn details(payment_method: &str) -> OrderDetails {
    details_at(payment_method, 1250)
}

/// An order of two pieces at `unit_price` cents.
pub(crate) fn details_at(payment_method: &str, unit_price: u32) -> OrderDetails {
    serde_json::from_value(json!({
        "customer": {"id": "cust-1", "name": "Ada", "email": "ada@example.com"},
        "lines": [{"sku": "A", "quantity": 2, "unit_price": {"amount": unit_price, "currency": "EUR"}}],
        "total": {"amount": 2 * unit_price, "currency": "EUR"},
        "payment_method": payment_method,
        "placed_at": "2026-11-23T10:15:30Z",
    }))
    .unwrap()
}

pub(crate) fn cause() -> Cause {
    Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None }
}

impl Service {
    pub(crate) fn new(payment_method: &'static str) -> Self {
        Self::with_price(payment_method, 1250)
    }

    pub(crate) fn with_price(payment_method: &'static str, unit_price: u32) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_second(1_795_428_930).unwrap()));
        Self { payments: Arc::default(), provider: Arc::default(), clock, payment_method, unit_price }
    }

    fn arbiter(&self) -> Arbiter {
        Arbiter {
            payments: Arc::clone(&self.payments) as Arc<dyn Payments>,
            provider: Arc::clone(&self.provider) as Arc<dyn Provider>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        }
    }

    pub(crate) fn reservation_confirmed(&self) -> Event {
        let order = details_at(self.payment_method, self.unit_price);
        let fact = Fact::ReservationConfirmed(ReservationConfirmed { order });
        Event::new(order_id(), fact, self.clock.now(), cause())
    }

    pub(crate) fn cancellation_requested(&self) -> Event {
        let (order, reason) = (details_at(self.payment_method, self.unit_price), VoidReason::CustomerRequest);
        let fact = Fact::CancellationRequested(CancellationRequested { order, reason });
        Event::new(order_id(), fact, self.clock.now(), cause())
    }

    /// A report of the provider that the PaymentIntent `intent` has `status`, whether or not that is true.
    pub(crate) fn payment_reported(&self, intent: &str, status: ReportedStatus) -> Event {
        let (payment_intent, report) = (intent.parse().unwrap(), "evt_1".parse().unwrap());
        let fact = Fact::PaymentReported(PaymentReported { payment_intent, report, status });
        Event::new(order_id(), fact, self.clock.now(), cause())
    }

    /// Handles a report, and returns the event that it causes, if any.
    pub(crate) async fn report(
        &self,
        intent: &str,
        status: ReportedStatus,
    ) -> Result<Option<Event>, Failure> {
        let events = ProcessPayment(self.arbiter()).handle(&self.payment_reported(intent, status)).await?;
        assert!(events.len() <= 1, "{events:?}");
        Ok(events.into_iter().next())
    }

    /// Returns the record of the order.
    pub(crate) fn record(&self) -> Option<Payment> {
        self.payments.all().remove(&order_id())
    }

    pub(crate) async fn charge(&self) -> Result<Event, Failure> {
        Ok(one(ProcessPayment(self.arbiter()).handle(&self.reservation_confirmed()).await?))
    }

    pub(crate) async fn void(&self) -> Result<Event, Failure> {
        Ok(one(VoidPayment(self.arbiter()).handle(&self.cancellation_requested()).await?))
    }

    pub(crate) fn process_payment(&self) -> ProcessPayment {
        ProcessPayment(self.arbiter())
    }

    pub(crate) fn void_payment(&self) -> VoidPayment {
        VoidPayment(self.arbiter())
    }

    pub(crate) fn captures(&self) -> u32 {
        self.provider.captures(order_id())
    }
}

fn one(events: Vec<Event>) -> Event {
    let [event] = events.try_into().unwrap();
    event
}
