//! What strangers send: whatever it is, the answer is one that the contract describes, and never a failure.

use domain::CorrelationId;
use platform::http::{Caller, Scope};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::client::{Answer, Client, clients, described};
use crate::generate::surprise;

fn checked(client: &Client, answer: &Answer) -> Result<(), TestCaseError> {
    prop_assert!(!answer.status.is_server_error(), "{answer:?}");
    if answer.status.is_client_error() {
        let id = answer.header("x-correlation-id");
        prop_assert!(!id.is_empty() && answer.json()["correlation_id"] == id, "{answer:?}");
    }
    described(client, answer).map_err(TestCaseError::fail)
}

fn encoded(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

/// Bytes, and text that looks like JSON.
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
        (select_open(), 1..20_000_usize).prop_map(|(open, depth)| open.repeat(depth).into_bytes()),
        surprise().prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn select_open() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("["), Just("{\"lines\":["), Just("{\"customer\":{\"name\":"), Just("{\"\":")]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn bodies_that_are_none(body in bodies()) {
        // Nothing at all is a body to who asks for no field.
        prop_assume!(serde_json::from_slice::<Value>(&body).ok() != Some(json!({})));
        for client in clients().iter().filter(|client| client.has_body()) {
            let answer = client.send(body.clone());
            prop_assert!(matches!(answer.status.as_u16(), 400 | 413), "{answer:?}");
            checked(client, &answer)?;
        }
    }

    #[test]
    fn media_types(name in vec(prop_oneof![Just(b'/'), Just(b';'), Just(b'='), 0x20..0x7f_u8, 0x80..=0xff_u8], 0..40)) {
        for client in clients().iter().filter(|client| client.has_body()) {
            let answer = client.send_with(&client.path(), &[("content-type", &name), ("idempotency-key", b"k")], "{}");
            prop_assert_eq!(answer.status.as_u16(), 415);
            checked(client, &answer)?;
        }
    }

    #[test]
    fn parts_of_the_path(bytes in vec(any::<u8>(), 1..80)) {
        for client in clients().iter().filter(|client| client.operation.path.contains('{')) {
            let (before, rest) = client.operation.path.split_once('{').unwrap();
            let after = rest.split_once('}').unwrap().1.replace("{delivery_id}", "D-1");
            let path = format!("{before}{}{after}", encoded(&bytes));
            let answer = client.send_with(&path, &[("content-type", b"application/json")], "{}");
            checked(client, &answer)?;
        }
    }

    #[test]
    fn pages(limit in prop_oneof![any::<i64>().prop_map(|it| it.to_string()), any::<String>()], cursor in vec(any::<u8>(), 0..300), plain in "[A-Za-z0-9_-]{0,60}") {
        for client in clients().iter().filter(|client| client.operation.id.starts_with("list")) {
            for cursor in [encoded(&cursor), plain.clone()] {
                let query = format!("?customer_id=c-1&limit={}&cursor={cursor}", encoded(limit.as_bytes()));
                let answer = client.send_with(&format!("{}{query}", client.operation.path), &[], "");
                let fits = limit.parse::<u32>().is_ok_and(|limit| (1..=100).contains(&limit));
                prop_assert!(fits || answer.status == 400, "{query}: {answer:?}");
                checked(client, &answer)?;
            }
        }
    }

    #[test]
    fn conditions(one in vec(prop_oneof![Just(b'"'), Just(b'*'), b'0'..=b'9', 0x20..0x7f_u8, 0x80..=0xff_u8], 0..25), other in any::<bool>()) {
        let clients = clients();
        let client = clients.iter().find(|client| client.operation.id == "putProduct").unwrap();
        let body = json!({"name": "Tea", "price": {"amount": 1, "currency": "EUR"}}).to_string();
        let name = if other { "if-match" } else { "if-none-match" };
        let answer = client.send_with(&client.path(), &[("content-type", b"application/json"), (name, &one)], body);
        prop_assert!(matches!(answer.status.as_u16(), 200 | 400 | 412), "{answer:?}");
        checked(client, &answer)?;
    }

    #[test]
    fn correlation_ids(id in prop_oneof![vec(0x20..=0xff_u8, 0..200), "[!-~]{1,128}".prop_map(String::into_bytes)], trace in vec(0x20..=0x7e_u8, 0..70)) {
        prop_assume!(!id.contains(&0x7f));
        let clients = clients();
        let client = clients.iter().find(|client| client.operation.id == "listProducts").unwrap();
        let answer = client.send_with("/products?limit=x", &[("x-correlation-id", &id), ("traceparent", &trace)], "");
        checked(client, &answer)?;
        let given = answer.header("x-correlation-id");
        prop_assert!(given.parse::<CorrelationId>().is_ok(), "{given}");
        let sent = std::str::from_utf8(&id).ok().filter(|id| id.parse::<CorrelationId>().is_ok());
        prop_assert!(sent.is_none_or(|sent| sent == given), "{sent:?} {given}");
    }

    #[test]
    fn claims(
        mut claims in proptest::collection::btree_map(
            prop_oneof![Just("sub".to_owned()), Just("scope".to_owned()), Just("client_id".to_owned()), Just("cognito:groups".to_owned()), any::<String>()],
            surprise(),
            0..6,
        ),
        scope in "(orders/read|orders/write|orders|staff|/| ){0,5}",
        groups in prop_oneof!["[\\[\\]a-z, ]{0,30}".prop_map(Value::from), vec("staff|Staff|staf|", 0..3).prop_map(Value::from)],
        access in any::<bool>(),
    ) {
        let random: Map<String, Value> = claims.clone().into_iter().collect();
        prop_assert_eq!(Caller::from_claims(&random), None, "without token_use nobody is anybody");
        claims.extend([
            ("token_use".to_owned(), json!(if access { "access" } else { "id" })),
            ("sub".to_owned(), json!("u-1")),
            ("client_id".to_owned(), json!("app")),
            ("scope".to_owned(), json!(scope)),
            ("cognito:groups".to_owned(), groups.clone()),
        ]);
        let found = Caller::from_claims(&claims.into_iter().collect());
        match found {
            None => prop_assert!(!access),
            Some(Caller::User { is_staff: staff, scopes, .. }) => {
                prop_assert!(access);
                prop_assert!(!staff || groups.to_string().contains("staff"));
                for one in Scope::ALL {
                    prop_assert_eq!(scopes.contains(one), scope.split(' ').any(|it| it == one.name()));
                }
            }
            Some(other) => prop_assert!(false, "{:?}", other),
        }
    }
}
