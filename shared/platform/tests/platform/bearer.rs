//! Verification of access tokens by [`TokenVerifier`]. `tokens.json` was generated once with two keys that
//! were then deleted.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use platform::http::access::Scopes;
use platform::http::bearer::TokenVerifier;
use platform::http::{Caller, Scope};
use platform::http_client::{HttpClient, NoResponse};
use platform::memory::ManualClock;
use platform::{Clock, lock};
use proptest::prelude::*;
use serde_json::Value;

const ISSUER: &str = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Shop";

fn samples() -> Value {
    serde_json::from_str(include_str!("tokens/tokens.json")).unwrap()
}

/// A user pool that serves its keys and counts the requests.
struct Pool {
    keys: Mutex<Value>,
    requests: Mutex<u32>,
    status: Mutex<StatusCode>,
}

#[async_trait]
impl HttpClient for Pool {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
        assert_eq!(request.uri(), "https://keys/jwks.json");
        *lock(&self.requests) += 1;
        let status = *lock(&self.status);
        Ok(Response::builder().status(status).body(lock(&self.keys).to_string().into()).unwrap())
    }
}

struct World {
    pool: Arc<Pool>,
    clock: Arc<ManualClock>,
    bearer: TokenVerifier,
}

fn world() -> World {
    let keys = samples()["keys"].clone();
    let pool = Arc::new(Pool { keys: keys.into(), requests: 0.into(), status: StatusCode::OK.into() });
    let clock = Arc::new(ManualClock::new(Timestamp::from_second(2000).unwrap()));
    let bearer = TokenVerifier::new(
        Arc::clone(&pool) as Arc<dyn HttpClient>,
        ISSUER.to_owned(),
        "https://keys/jwks.json".to_owned(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    World { pool, clock, bearer }
}

fn headers(authorization: &str) -> HeaderMap {
    [(http::header::AUTHORIZATION, authorization.parse().unwrap())].into_iter().collect()
}

async fn caller(world: &World, name: &str) -> Caller {
    let token = samples()[name].as_str().unwrap().to_owned();
    world.bearer.authenticate(&headers(&format!("Bearer {token}"))).await.unwrap()
}

fn ada() -> Caller {
    let scopes = Scopes::from_iter([Scope::OrdersRead]);
    Caller::User { id: "u-1".parse().unwrap(), is_staff: false, scopes }
}

#[tokio::test]
async fn a_valid_token_identifies_the_caller() {
    let world = world();
    assert_eq!(caller(&world, "good").await, ada());
    let token = samples()["good"].as_str().unwrap().to_owned();
    for value in [token.clone(), format!("bearer {token}"), format!("BEARER  {token}")] {
        assert_eq!(world.bearer.authenticate(&headers(&value)).await.unwrap(), ada(), "{value}");
    }
    assert_eq!(*lock(&world.pool.requests), 1, "the keys are cached");
}

#[tokio::test]
async fn an_invalid_token_is_an_anonymous_caller() {
    let world = world();
    for name in [
        "tampered",
        "another_pool",
        "another_key",
        "id_token",
        "no_end",
        "not_yet",
        "no_algorithm",
        "shared_secret",
    ] {
        assert_eq!(caller(&world, name).await, Caller::Anonymous, "{name}");
    }
    assert_eq!(world.bearer.authenticate(&HeaderMap::new()).await.unwrap(), Caller::Anonymous);
    assert_eq!(world.bearer.authenticate(&headers("Basic YWRhOnB3")).await.unwrap(), Caller::Anonymous);
}

#[tokio::test]
async fn a_token_expires() {
    let world = world();
    world.clock.advance(SignedDuration::from_secs(2604));
    assert_eq!(caller(&world, "good").await, ada(), "a clock skew of five seconds is tolerated");
    world.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(caller(&world, "good").await, Caller::Anonymous);
}

#[tokio::test]
async fn rotated_keys_are_fetched_but_not_for_every_unknown_key() {
    let world = world();
    assert_eq!(caller(&world, "good").await, ada());
    *lock(&world.pool.keys) = samples()["rotated_keys"].clone();
    for _ in 0..5 {
        assert_eq!(caller(&world, "second_key").await, Caller::Anonymous);
    }
    assert_eq!(*lock(&world.pool.requests), 1);
    world.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(caller(&world, "second_key").await, ada());
    assert_eq!(*lock(&world.pool.requests), 2);
}

#[tokio::test]
async fn a_token_cannot_be_verified_without_the_keys() {
    let world = world();
    *lock(&world.pool.status) = StatusCode::SERVICE_UNAVAILABLE;
    let token = samples()["good"].as_str().unwrap().to_owned();
    assert!(world.bearer.authenticate(&headers(&token)).await.is_err());
    assert_eq!(
        world.bearer.authenticate(&HeaderMap::new()).await.unwrap(),
        Caller::Anonymous,
        "anonymous callers need no keys"
    );
}

proptest! {
    #[test]
    fn no_other_header_identifies_a_caller(text in "[ -~]{0,200}", cut in 0..900_usize, put in "[A-Za-z0-9._-]{1,3}") {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = world();
        let mut token = samples()["good"].as_str().unwrap().to_owned();
        let at = cut.min(token.len() - 1);
        token.replace_range(at..=at, &put);
        let good = samples()["good"].as_str().unwrap().to_owned();
        for sent in [text, token] {
            let found = runtime.block_on(world.bearer.authenticate(&headers(sent.trim()))).unwrap();
            // The last character of a signature contains unused bits.
            let same = sent.len() == good.len() && sent[..sent.len() - 1] == good[..good.len() - 1];
            prop_assert!(found == Caller::Anonymous || same, "{}", sent);
        }
    }
}
