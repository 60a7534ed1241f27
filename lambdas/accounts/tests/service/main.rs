//! The account service with in-memory ports: its API and the Cognito trigger.
#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test")]

use std::sync::Arc;
use std::time::Duration;

use accounts::adapters::memory::InMemoryProfiles;
use accounts::api::{Api, router};
use accounts::grant::GrantScopes;
use accounts::profile::Profile;
use accounts::store::Profiles;
use async_trait::async_trait;
use axum::body::Body;
use domain::CustomerId;
use futures::future::join_all;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use platform::clock::SystemClock;
use platform::host::http::build_app;
use platform::host::trigger::Trigger;
use platform::http::{Caller, Scope};
use platform::memory::SeededClock;
use serde_json::{Value, json};
use tower::ServiceExt;

struct Service(Arc<InMemoryProfiles>);

struct TestResponse {
    status: StatusCode,
    tag: Option<String>,
    body: Value,
}

fn ada() -> Caller {
    let scopes = [Scope::ProfileRead, Scope::ProfileWrite].into_iter().collect();
    Caller::User { id: "ada".parse().unwrap(), is_staff: false, scopes }
}

impl Service {
    fn new() -> Self {
        Self(Arc::default())
    }

    async fn call(
        &self,
        caller: Caller,
        method: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> TestResponse {
        let mut request = Request::builder().method(method).uri("/me").extension(caller);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let api = Api { profiles: Arc::clone(&self.0) as Arc<_>, clock: Arc::new(SystemClock) };
        let app = build_app(router(api), Arc::new(SystemClock));
        let (parts, body) = app.oneshot(request.body(body).unwrap()).await.unwrap().into_parts();
        let tag = parts.headers.get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        let bytes = body.collect().await.unwrap().to_bytes();
        TestResponse { status: parts.status, tag, body: serde_json::from_slice(&bytes).unwrap() }
    }

    async fn sign_in(&self, attributes: Value, groups: Value) -> Value {
        let trigger = GrantScopes { profiles: Arc::clone(&self.0) as Arc<_> };
        let event = json!({
            "version": "2", "triggerSource": "TokenGeneration_Authentication", "userName": "ada@example.com",
            "request": {
                "userAttributes": attributes,
                "groupConfiguration": groups,
                "scopes": ["aws.cognito.signin.user.admin"],
            },
            "response": { "claimsAndScopeOverrideDetails": null },
        });
        trigger.handle(event).await.unwrap()
    }
}

fn profile() -> Value {
    json!({
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "addresses": [{"recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB"}],
    })
}

#[tokio::test]
async fn the_first_sign_in_creates_the_profile_and_later_ones_do_not_change_it() {
    let service = Service::new();
    let attributes = json!({"sub": "ada", "email": "ada@example.com", "name": "Ada"});
    service.sign_in(attributes.clone(), Value::Null).await;
    let found = service.call(ada(), "GET", &[], None).await;
    let expected =
        json!({"id": "ada", "name": "Ada", "email": "ada@example.com", "addresses": [], "revision": 1});
    assert_eq!((found.status, found.body), (StatusCode::OK, expected));
    service.call(ada(), "PUT", &[], Some(profile())).await;
    service.sign_in(attributes, Value::Null).await;
    assert_eq!(service.call(ada(), "GET", &[], None).await.body["revision"], 2);
}

#[tokio::test]
async fn a_sign_in_gets_its_scopes_even_if_the_profile_cannot_be_created() {
    let service = Service::new();
    service.0.failures.fail_next(1);
    let event = service
        .sign_in(json!({"sub": "ada", "email": "no address"}), json!({"groupsToOverride": ["staff"]}))
        .await;
    let granted = &event["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"];
    assert!(granted["scopesToAdd"].as_array().unwrap().contains(&json!("inventory/write")), "{event}");
    assert_eq!(event["userName"], "ada@example.com", "the rest of the event is returned unchanged");
    let found = service.call(ada(), "GET", &[], None).await.body;
    assert_eq!(found, json!({"id": "ada", "name": null, "email": null, "addresses": [], "revision": 1}));
}

#[tokio::test]
async fn a_profile_is_replaced_and_supports_conditional_requests() {
    let service = Service::new();
    assert_eq!(service.call(ada(), "GET", &[], None).await.tag.as_deref(), Some("\"1\""));
    let changed = service.call(ada(), "PUT", &[("if-match", "\"1\"")], Some(profile())).await;
    assert_eq!((changed.status, changed.tag.as_deref()), (StatusCode::OK, Some("\"2\"")));
    assert_eq!(changed.body["addresses"][0]["city"], "London");
    let late = service.call(ada(), "PUT", &[("if-match", "\"1\"")], Some(profile())).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    let unconditional = service.call(ada(), "PUT", &[], Some(profile())).await;
    assert_eq!((unconditional.status, unconditional.tag.as_deref()), (StatusCode::OK, Some("\"3\"")));
}

/// A store in which each call takes a few milliseconds, so that parallel writers conflict.
struct RemoteProfiles(InMemoryProfiles);

#[async_trait]
impl Profiles for RemoteProfiles {
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.0.get(customer).await
    }

    async fn write(&self, profile: &Profile) -> anyhow::Result<bool> {
        tokio::time::sleep(Duration::from_millis(3)).await;
        self.0.write(profile).await
    }
}

#[tokio::test]
async fn parallel_updates_all_succeed() {
    for updates in [20, 50] {
        let profiles = Arc::new(RemoteProfiles(InMemoryProfiles::default()));
        let clock = Arc::new(SeededClock::new(2026));
        let app = build_app(router(Api { profiles: profiles.clone(), clock: clock.clone() }), clock);
        let put = || {
            let request = Request::put("/me").extension(ada()).header("content-type", "application/json");
            app.clone().oneshot(request.body(Body::from(profile().to_string())).unwrap())
        };
        for response in join_all((0..updates).map(|_| put())).await {
            assert_eq!(response.unwrap().status(), StatusCode::OK);
        }
        let stored = profiles.0.get(&"ada".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(stored.revision, 1 + updates);
    }
}

#[tokio::test]
async fn a_write_with_a_stale_revision_is_rejected() {
    let profiles = InMemoryProfiles::default();
    let first = Profile::new("ada".parse().unwrap(), None, None);
    assert!(profiles.write(&first).await.unwrap());
    assert!(!profiles.write(&first).await.unwrap());
    let (second, third) = (Profile { revision: 2, ..first.clone() }, Profile { revision: 3, ..first });
    assert!(!profiles.write(&third).await.unwrap());
    assert!(profiles.write(&second).await.unwrap() && profiles.write(&third).await.unwrap());
}

#[tokio::test]
async fn all_errors_are_reported_with_their_locations() {
    let service = Service::new();
    let mut bad = profile();
    bad["email"] = json!("ada");
    bad["addresses"][0]["country"] = json!("Germany");
    bad["addresses"][0]["planet"] = json!("Earth");
    let response = service.call(ada(), "PUT", &[], Some(bad)).await;
    let mut pointers: Vec<&str> = response.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/addresses/0/country", "/addresses/0/planet", "/email"]);
    let mut many = profile();
    many["addresses"] = vec![many["addresses"][0].clone(); 11].into();
    assert_eq!(service.call(ada(), "PUT", &[], Some(many)).await.body["errors"][0]["pointer"], "/addresses");
}

#[tokio::test]
async fn only_users_have_profiles() {
    let service = Service::new();
    let scopes = [Scope::ProfileRead].into_iter().collect();
    let machine = Caller::Machine { id: "m".parse().unwrap(), scopes };
    assert_eq!(service.call(machine, "GET", &[], None).await.status, StatusCode::FORBIDDEN);
    assert_eq!(service.call(Caller::Anonymous, "GET", &[], None).await.status, StatusCode::UNAUTHORIZED);
}
