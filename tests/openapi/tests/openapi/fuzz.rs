//! Fuzzing: whatever a client sends, the contract describes the response, and it is never a server error.

use domain::CorrelationId;
use platform::http::{Caller, Scope};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::client::{Client, Response, clients, validate_response};
use crate::generate::unusual_value;

fn check(client: &Client, response: &Response) -> Result<(), TestCaseError> {
    prop_assert!(!response.status.is_server_error(), "{response:?}");
    if response.status.is_client_error() {
        let id = response.header("x-correlation-id");
        prop_assert!(!id.is_empty() && response.json()["correlation_id"] == id, "{response:?}");
    }
    validate_response(client, response).map_err(TestCaseError::fail)
}

fn percent_encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// Random bytes, and text that resembles JSON.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"lines\""),
        Just("1e9999"),
        Just("-"),
        Just("\\u"),
        Just("\"\\ud800\""),
        Just("null"),
        Just("123456789012345678901234567890"),
        Just("\u{feff}"),
        Just(" "),
    ];
    prop_oneof![
        vec(any::<u8>(), 0..200),
        vec(pieces, 0..60).prop_map(|pieces| pieces.concat().into_bytes()),
        (opening_brackets(), 1..20_000_usize).prop_map(|(open, depth)| open.repeat(depth).into_bytes()),
        unusual_value().prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn opening_brackets() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("["), Just("{\"lines\":["), Just("{\"customer\":{\"name\":"), Just("{\"\":")]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn invalid_bodies_are_rejected(body in bodies()) {
        // An empty object is a valid body of an operation without required fields.
        prop_assume!(serde_json::from_slice::<Value>(&body).ok() != Some(json!({})));
        for client in clients().iter().filter(|client| client.has_body()) {
            let response = client.send(body.clone());
            prop_assert!(matches!(response.status.as_u16(), 400 | 413), "{response:?}");
            check(client, &response)?;
        }
    }

    #[test]
    fn unsupported_media_types_are_rejected(name in vec(prop_oneof![Just(b'/'), Just(b';'), Just(b'='), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..40)) {
        for client in clients().iter().filter(|client| client.has_body()) {
            let response = client.send_with(&client.path(), &[("content-type", &name), ("idempotency-key", b"k")], "{}");
            prop_assert_eq!(response.status.as_u16(), 415);
            check(client, &response)?;
        }
    }

    #[test]
    fn path_parameters_are_parsed_or_rejected(bytes in vec(any::<u8>(), 1..80)) {
        for client in clients().iter().filter(|client| client.operation.path.contains('{')) {
            let (before, rest) = client.operation.path.split_once('{').unwrap();
            let after = rest.split_once('}').unwrap().1.replace("{delivery_id}", "D-1");
            let path = format!("{before}{}{after}", percent_encode(&bytes));
            let response = client.send_with(&path, &[("content-type", b"application/json")], "{}");
            check(client, &response)?;
        }
    }

    #[test]
    fn page_parameters_are_validated(limit in prop_oneof![any::<i64>().prop_map(|it| it.to_string()), any::<String>()], cursor in vec(any::<u8>(), 0..300), plain in "[A-Za-z0-9_-]{0,60}") {
        for client in clients().iter().filter(|client| client.operation.id.starts_with("list")) {
            for cursor in [percent_encode(&cursor), plain.clone()] {
                let query = format!("?customer_id=c-1&limit={}&cursor={cursor}", percent_encode(limit.as_bytes()));
                let response = client.send_with(&format!("{}{query}", client.operation.path), &[], "");
                let is_valid = limit.parse::<u32>().is_ok_and(|limit| (1..=100).contains(&limit));
                prop_assert!(is_valid || response.status == 400, "{query}: {response:?}");
                check(client, &response)?;
            }
        }
    }

    #[test]
    fn preconditions_are_parsed_or_rejected(value in vec(prop_oneof![Just(b'"'), Just(b'*'), b'0'..=b'9', 0x20..0x7f_u8, 0x80..=0xff_u8], 0..25), is_if_match in any::<bool>()) {
        let clients = clients();
        let client = clients.iter().find(|client| client.operation.id == "putProduct").unwrap();
        let body = json!({"name": "Tea", "price": {"amount": 1, "currency": "EUR"}}).to_string();
        let name = if is_if_match { "if-match" } else { "if-none-match" };
        let response = client.send_with(&client.path(), &[("content-type", b"application/json"), (name, &value)], body);
        prop_assert!(matches!(response.status.as_u16(), 200 | 400 | 412), "{response:?}");
        check(client, &response)?;
    }

    #[test]
    fn correlation_ids_are_kept_or_replaced(id in prop_oneof![vec(0x20..=0xff_u8, 0..200), "[!-~]{1,128}".prop_map(String::into_bytes)], trace in vec(0x20..=0x7e_u8, 0..70)) {
        prop_assume!(!id.contains(&0x7f));
        let clients = clients();
        let client = clients.iter().find(|client| client.operation.id == "listProducts").unwrap();
        let response = client.send_with("/products?limit=x", &[("x-correlation-id", &id), ("traceparent", &trace)], "");
        check(client, &response)?;
        let received = response.header("x-correlation-id");
        prop_assert!(received.parse::<CorrelationId>().is_ok(), "{received}");
        let sent = std::str::from_utf8(&id).ok().filter(|id| id.parse::<CorrelationId>().is_ok());
        prop_assert!(sent.is_none_or(|sent| sent == received), "{sent:?} {received}");
    }

    #[test]
    fn claims_make_a_caller_or_none(
        mut claims in proptest::collection::btree_map(
            prop_oneof![Just("sub".to_owned()), Just("scope".to_owned()), Just("client_id".to_owned()), Just("cognito:groups".to_owned()), any::<String>()],
            unusual_value(),
            0..6,
        ),
        scope in "(orders/read|orders/write|orders|staff|/| ){0,5}",
        groups in prop_oneof!["[\\[\\]a-z, ]{0,30}".prop_map(Value::from), vec("staff|Staff|staf|", 0..3).prop_map(Value::from)],
        is_access_token in any::<bool>(),
    ) {
        let random: Map<String, Value> = claims.clone().into_iter().collect();
        prop_assert_eq!(Caller::from_claims(&random), None, "claims without token_use authenticate nobody");
        claims.extend([
            ("token_use".to_owned(), json!(if is_access_token { "access" } else { "id" })),
            ("sub".to_owned(), json!("u-1")),
            ("client_id".to_owned(), json!("app")),
            ("scope".to_owned(), json!(scope)),
            ("cognito:groups".to_owned(), groups.clone()),
        ]);
        let caller = Caller::from_claims(&claims.into_iter().collect());
        match caller {
            None => prop_assert!(!is_access_token),
            Some(Caller::User { is_staff, scopes, .. }) => {
                prop_assert!(is_access_token);
                prop_assert!(!is_staff || groups.to_string().contains("staff"));
                for &one in Scope::ALL {
                    prop_assert_eq!(scopes.contains(one), scope.split(' ').any(|it| it == one.name()));
                }
            }
            Some(other) => prop_assert!(false, "{:?}", other),
        }
    }
}
