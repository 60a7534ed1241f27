//! What the functions call apart from tables and the provider: the bus, and other functions behind the API.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use domain::Event;
use http::{Request, Response};
use platform::Publisher;
use platform::clock::timeout;
use platform::http::Caller;
use platform::http_client::{HttpClient, NoResponse};
use platform::publisher::{BusPublisher, PutEvents};

use crate::lambda;
use crate::mutation::Mutation;
use crate::ports::Ports;

/// How long a client waits for a response: the integration timeout of API Gateway.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(29);

/// Internal requests to the inventory API, signed with the role of a function.
#[async_trait]
impl HttpClient for Ports {
    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        request.extensions_mut().insert(Caller::Service { arn: self.caller.function.to_owned() });
        if self.world.has_mutation(Mutation::AcceptAnyPrice) {
            self.world.observed.requested_prices(request.body());
        }
        self.request("inventory-api", request)
            .await
            .map_err(|error| NoResponse { host: "inventory-api".to_owned(), source: error.into() })
    }
}

impl Ports {
    /// Sends a request to a function behind API Gateway, by the name of its binary.
    ///
    /// # Errors
    /// If no response arrives.
    pub async fn request(
        &self,
        function: &'static str,
        request: Request<Bytes>,
    ) -> anyhow::Result<Response<Bytes>> {
        let world = Arc::clone(&self.world);
        let answer =
            self.caller.call(function, move || lambda::invoke_api(&world, function, request.clone()));
        Ok(answer.await?.await?)
    }

    /// Sends a request as a client, which waits as long as API Gateway does. `None` if no response arrives.
    pub async fn request_in_time(
        &self,
        function: &'static str,
        request: Request<Bytes>,
    ) -> Option<Response<Bytes>> {
        timeout(&self.caller, CLIENT_TIMEOUT, self.request(function, request)).await?.ok()
    }

    /// The publisher that the functions use.
    pub fn publisher(&self) -> Arc<dyn Publisher> {
        let publisher = BusPublisher(self.clone());
        if self.world.has_mutation(Mutation::AcknowledgeBeforePublish) {
            return Arc::new(PublishLater(self.clone()));
        }
        Arc::new(publisher)
    }
}

#[async_trait]
impl PutEvents for Ports {
    async fn put(&self, events: &[&Event]) -> anyhow::Result<Vec<Option<String>>> {
        let events: Vec<Event> = events.iter().map(|event| (*event).clone()).collect();
        let world = Arc::clone(&self.world);
        let allowed = world.wiring.publishes.get(self.caller.function);
        for event in &events {
            let name = event.fact.name();
            if !allowed.is_some_and(|types| types.contains(name)) {
                world.report_violation(format!(
                    "{} may not publish {name}: add it to its Publishes",
                    self.caller.function
                ));
            }
        }
        let answers = self.caller.call("bus.put_events", move || {
            let put = |event: &Event| {
                if world.sim.should_inject(|rates| rates.reject_entry) {
                    world.sim.log(|| format!("the bus rejects {} of {}", event.fact.name(), event.subject));
                    let is_ignored = world.has_mutation(Mutation::IgnoreFailedEntry);
                    return (!is_ignored).then(|| "ThrottlingException".to_owned());
                }
                world.route(event);
                None
            };
            events.iter().map(put).collect()
        });
        Ok(answers.await?)
    }
}

/// The publisher for [`Mutation::AcknowledgeBeforePublish`].
struct PublishLater(Ports);

#[async_trait]
impl Publisher for PublishLater {
    async fn publish(&self, events: &[Event]) -> anyhow::Result<()> {
        let (ports, events) = (self.0.clone(), events.to_vec());
        self.0.caller.sim.scheduler.spawn(async move { drop(BusPublisher(ports).publish(&events).await) });
        Ok(())
    }
}
