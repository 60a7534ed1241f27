//! A payment provider, a bus, queues and buckets for the contracts only.

use aws_objects::Bucket;
use aws_secrets::Secret;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::payments::adapters::Stripe;
use anyhow::Context;
use async_trait::async_trait;
use aws::UnsignedClient;
use aws_events::EventBridge;
use aws_sdk_eventbridge::types::Target;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use aws_types::SdkConfig;
use bytes::Bytes;
use contracts::{bus, objects, provider, quarantine, queue};
use domain::{Event, OrderId, PaymentIntentId};
use end_to_end::{Stack, WAIT_TIMEOUT};
use http::{Method, Request, StatusCode};
use media::adapters::S3Quarantine;
use media::store::FileVersion;
use platform::http_client::HttpClient;
use platform::publisher::BusPublisher;
use serde_json::{Value, json};
use uuid::Uuid;

/// The API key of the stand-in for Stripe.
const STAND_IN_KEY: &str = "sk_test_local";

/// Creates the resources of a contract and deletes them at the end.
pub(super) struct TestResources<'a> {
    stack: &'a Stack,
    queues: Mutex<Vec<String>>,
    buses: Mutex<Vec<String>>,
    secrets: Mutex<Vec<String>>,
    buckets: Mutex<Vec<String>>,
}

/// Returns the content of a list and clears it.
fn take_all(list: &Mutex<Vec<String>>) -> Vec<String> {
    std::mem::take(&mut *list.lock().unwrap())
}

fn name() -> String {
    format!("contracts-{}", Uuid::new_v4().simple())
}

impl<'a> TestResources<'a> {
    pub(super) fn new(stack: &'a Stack) -> Self {
        Self {
            stack,
            queues: Mutex::default(),
            buses: Mutex::default(),
            secrets: Mutex::default(),
            buckets: Mutex::default(),
        }
    }

    fn events(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(self.stack.aws.sdk_config())
    }

    /// Returns the Stripe adapter, connected to the stack's stand-in.
    pub(super) async fn provider(&self) -> anyhow::Result<provider::World> {
        let name = name();
        self.secret("CreateSecret", &json!({ "Name": name, "SecretString": STAND_IN_KEY })).await?;
        self.secrets.lock().unwrap().push(name.clone());
        let base = std::env::var("E2E_STRIPE_URL")?;
        let client = UnsignedClient::new(Duration::from_secs(20));
        let control = StandIn { base: base.clone(), client: client.clone() };
        Ok(provider::World {
            provider: Arc::new(Stripe::new(client, &base, Secret::new(self.stack.aws.sdk_config(), name))),
            control: Arc::new(control),
            order: OrderId::from(Uuid::new_v4()),
        })
    }

    async fn secret(&self, operation: &str, request: &Value) -> anyhow::Result<()> {
        let target = format!("secretsmanager.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let body = request.to_string();
        let response = self.stack.aws_request("secretsmanager", Method::POST, "/", &headers, &body).await?;
        response.expect(StatusCode::OK).map(drop)
    }

    /// Creates an EventBridge bus, and a queue that receives all of its events.
    pub(super) async fn bus(&self) -> anyhow::Result<bus::World> {
        let (events, name) = (self.events(), name());
        events.create_event_bus().name(&name).send().await?;
        self.buses.lock().unwrap().push(name.clone());
        let url = self.sqs_queue().await?;
        let sqs = self.stack.sqs();
        let arn = QueueAttributeName::QueueArn;
        let queue = sqs.get_queue_attributes().queue_url(&url).attribute_names(arn.clone()).send().await?;
        let queue = queue.attributes().and_then(|set| set.get(&arn)).context("a queue without an ARN")?;
        let everything = json!({ "source": [{ "prefix": "" }] }).to_string();
        events.put_rule().name(&name).event_bus_name(&name).event_pattern(everything).send().await?;
        let target = Target::builder().id("queue").arn(queue).build()?;
        let put = events.put_targets().rule(&name).event_bus_name(&name).targets(target).send().await?;
        anyhow::ensure!(put.failed_entry_count() == 0, "the rule has no target: {put:?}");
        Ok(bus::World {
            publisher: Arc::new(BusPublisher(EventBridge::new(events, name))),
            subscriber: Arc::new(Subscriber { sqs, url, received: Mutex::default() }),
        })
    }

    async fn sqs_queue(&self) -> anyhow::Result<String> {
        let created = self.stack.sqs().create_queue().queue_name(name()).send().await?;
        let url = created.queue_url().context("a queue without a URL")?.to_owned();
        self.queues.lock().unwrap().push(url.clone());
        Ok(url)
    }

    /// Creates a queue and its dead-letter queue.
    pub(super) async fn queue(&self) -> anyhow::Result<queue::World> {
        let (url, dead_letters) = (self.sqs_queue().await?, self.sqs_queue().await?);
        let queue = Arc::new(self.stack.aws.queue_at(url.clone(), dead_letters.clone()));
        let broker = Broker { sqs: self.stack.sqs(), url, dead_letters };
        Ok(queue::World { visibility: queue.clone(), dead_letters: queue, broker: Arc::new(broker) })
    }

    async fn bucket(&self) -> anyhow::Result<String> {
        let name = name();
        self.storage().create_bucket().bucket(&name).send().await?;
        self.buckets.lock().unwrap().push(name.clone());
        Ok(name)
    }

    /// Creates an S3 bucket, which the adapter accesses with `config`.
    pub(super) async fn objects(&self, config: &SdkConfig) -> anyhow::Result<objects::World> {
        let stranger = UnsignedClient::new(Duration::from_secs(20));
        Ok(objects::World {
            objects: Arc::new(Bucket::new(config, self.bucket().await?)),
            client: Arc::new(Stranger(stranger)),
        })
    }

    /// Creates an S3 bucket with versions, like that of uploads. The adapter accesses it with `config`.
    pub(super) async fn quarantine(&self, config: &SdkConfig) -> anyhow::Result<quarantine::World> {
        let bucket = self.bucket().await?;
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        let versions = self.storage().put_bucket_versioning().bucket(&bucket);
        versions.versioning_configuration(enabled).send().await?;
        let uploader = Uploader { storage: self.storage(), bucket: bucket.clone() };
        Ok(quarantine::World {
            quarantine: Arc::new(S3Quarantine::new(config, bucket)),
            uploader: Arc::new(uploader),
        })
    }

    fn storage(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::new(self.stack.aws.sdk_config())
    }

    /// Deletes all created resources.
    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        let events = self.events();
        for name in take_all(&self.buses) {
            events.remove_targets().rule(&name).event_bus_name(&name).ids("queue").send().await?;
            events.delete_rule().name(&name).event_bus_name(&name).send().await?;
            events.delete_event_bus().name(&name).send().await?;
        }
        for name in take_all(&self.buckets) {
            let storage = self.storage();
            for file in storage.list_object_versions().bucket(&name).send().await?.versions() {
                let delete = storage.delete_object().bucket(&name).key(file.key().unwrap_or_default());
                let version = file.version_id().filter(|version| *version != "null");
                delete.set_version_id(version.map(str::to_owned)).send().await?;
            }
            storage.delete_bucket().bucket(&name).send().await?;
        }
        for url in take_all(&self.queues) {
            self.stack.sqs().delete_queue().queue_url(url).send().await?;
        }
        for name in take_all(&self.secrets) {
            let request = json!({ "SecretId": name, "ForceDeleteWithoutRecovery": true });
            self.secret("DeleteSecret", &request).await?;
        }
        Ok(())
    }
}

/// The control API of the stand-in.
struct StandIn {
    base: String,
    client: UnsignedClient,
}

impl StandIn {
    async fn control(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let uri = format!("{}/_control/{path}", self.base);
        let response =
            self.client.send(Request::builder().method(method).uri(uri).body(Bytes::new())?).await?;
        anyhow::ensure!(response.status().is_success(), "{path}: {}", response.status());
        Ok(serde_json::from_slice(response.body())?)
    }
}

#[async_trait]
impl provider::Control for StandIn {
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize> {
        let charges = self.control(Method::GET, &format!("charges?order_id={order}")).await?;
        Ok(charges.as_array().context("no list of charges")?.len())
    }

    async fn forget(&self, key: &str) -> anyhow::Result<()> {
        let query = serde_urlencoded::to_string([("key", key)])?;
        let response = self.control(Method::POST, &format!("forget_keys?{query}")).await?;
        // None, if its request was refused: then it was not stored.
        anyhow::ensure!(response["forgotten"].as_u64().is_some_and(|keys| keys <= 1), "{response}");
        Ok(())
    }

    async fn finish_processing(&self, intent: &PaymentIntentId, is_charged: bool) -> anyhow::Result<()> {
        let status = if is_charged { "succeeded" } else { "requires_payment_method" };
        let request = Request::put(format!("{}/_control/payment_intents/{intent}/status", self.base))
            .header("content-type", "application/json")
            .body(Bytes::from(json!({ "status": status }).to_string()))?;
        let response = self.client.send(request).await?;
        anyhow::ensure!(response.status().is_success(), "{intent}: {}", response.status());
        Ok(())
    }
}

struct Subscriber {
    sqs: aws_sdk_sqs::Client,
    url: String,
    received: Mutex<Vec<Event>>,
}

#[async_trait]
impl bus::Subscriber for Subscriber {
    async fn received(&self, least: usize) -> anyhow::Result<Vec<Event>> {
        let start = Instant::now();
        while self.received.lock().unwrap().len() < least && start.elapsed() < WAIT_TIMEOUT {
            let receive = self.sqs.receive_message().queue_url(&self.url).max_number_of_messages(10);
            for message in receive.wait_time_seconds(1).send().await?.messages() {
                let envelope: Value = serde_json::from_str(message.body().unwrap_or_default())?;
                let event: Event = serde_json::from_value(envelope["detail"].clone())?;
                anyhow::ensure!(envelope["detail-type"] == event.fact.name(), "{envelope}");
                anyhow::ensure!(envelope["source"] == event.source.as_str(), "{envelope}");
                self.received.lock().unwrap().push(event);
                let receipt = message.receipt_handle().context("a message without a receipt handle")?;
                self.sqs.delete_message().queue_url(&self.url).receipt_handle(receipt).send().await?;
            }
        }
        Ok(self.received.lock().unwrap().clone())
    }
}

struct Stranger(UnsignedClient);

#[async_trait]
impl objects::AnonymousClient for Stranger {
    async fn fetch(&self, link: &str) -> anyhow::Result<Bytes> {
        let response = self.0.send(Request::get(link).body(Bytes::new())?).await?;
        anyhow::ensure!(response.status() == StatusCode::OK, "{link}: {}", response.status());
        Ok(response.into_body())
    }
}

struct Uploader {
    storage: aws_sdk_s3::Client,
    bucket: String,
}

#[async_trait]
impl quarantine::Uploader for Uploader {
    async fn upload(&self, key: &str, content: Bytes) -> anyhow::Result<FileVersion> {
        let put = self.storage.put_object().bucket(&self.bucket).key(key).body(content.into());
        let created = put.send().await?;
        let etag = created.e_tag().context("a file without an ETag")?.trim_matches('"').to_owned();
        let version = Some(created.version_id().context("a file without a version")?.to_owned());
        Ok(FileVersion { key: key.to_owned(), etag, version })
    }
}

struct Broker {
    sqs: aws_sdk_sqs::Client,
    url: String,
    dead_letters: String,
}

#[async_trait]
impl queue::Broker for Broker {
    async fn send_and_receive(&self) -> anyhow::Result<String> {
        self.sqs.send_message().queue_url(&self.url).message_body("a message").send().await?;
        let receive = self.sqs.receive_message().queue_url(&self.url).visibility_timeout(600);
        let response = receive.wait_time_seconds(5).send().await?;
        let receipt = response.messages().first().and_then(|message| message.receipt_handle());
        Ok(receipt.context("the message was not received")?.to_owned())
    }

    async fn is_redelivered_within(&self, wait: Duration) -> anyhow::Result<bool> {
        let start = Instant::now();
        while start.elapsed() < wait {
            let response = self.sqs.receive_message().queue_url(&self.url).send().await?;
            if !response.messages().is_empty() {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    async fn dead_letters(&self) -> anyhow::Result<Vec<(String, BTreeMap<String, String>)>> {
        let mut dead_letters = Vec::new();
        loop {
            let receive = self.sqs.receive_message().queue_url(&self.dead_letters);
            let receive = receive.max_number_of_messages(10).message_attribute_names("All");
            let messages = receive.send().await?.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(dead_letters);
            }
            dead_letters.extend(messages.into_iter().map(|message| {
                let attributes = message.message_attributes.unwrap_or_default();
                let attributes =
                    attributes.into_iter().filter_map(|(name, set)| Some((name, set.string_value?)));
                (message.body.unwrap_or_default(), attributes.collect())
            }));
        }
    }
}
