//! Bodies of requests: what is accepted, and what each error names.

use axum::body::Body;
use http::StatusCode;
use serde_json::json;

use crate::http::{call, request, send, send_as, valid};

#[tokio::test]
async fn a_valid_body_is_accepted() {
    let reply = send(valid().to_string()).await;
    assert_eq!((reply.status, &reply.body), (StatusCode::OK, &json!({"note": "n", "total": "0.10 EUR"})));
    assert_eq!(reply.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_list_is_not_a_body() {
    let list = json!(["a note", [{"sku": "TEA-001", "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}}]]);
    let reply = send(list.to_string()).await;
    assert_eq!((reply.status, reply.locations()), (StatusCode::BAD_REQUEST, vec![""]));
}

#[tokio::test]
async fn an_array_is_not_an_object_at_any_depth() {
    let mut body = valid();
    body["lines"][0]["unit_price"] = json!([5, "EUR"]);
    assert_eq!(send(body.to_string()).await.locations(), ["/lines/0/unit_price"]);
    body["lines"][0] = json!(["A", 2, [5, "EUR"]]);
    assert_eq!(send(body.to_string()).await.locations(), ["/lines/0"]);
    // The errors behind it still have the right pointers.
    body["lines"] = json!([["A", 2, {"amount": 5, "currency": "EUR"}], {"sku": "B"}]);
    let reply = send(body.to_string()).await;
    assert_eq!(reply.locations(), ["/lines/0", "/lines/1/quantity", "/lines/1/unit_price"]);
    assert_eq!(reply.body["errors"][0]["detail"], "must be an object");
}

#[tokio::test]
async fn repeated_keys_are_refused_with_their_pointers() {
    let price = r#"{"amount": 5, "currency": "EUR"}"#;
    let line = format!(r#"{{"sku": "A", "quantity": 2, "unit_price": {price}}}"#);
    let cases = [
        (format!(r#"{{"note": "n", "lines": [{line}], "note": "m"}}"#), vec!["/note"]),
        (format!(r#"{{"note": "n", "note": "n", "note": "n", "lines": [{line}]}}"#), vec!["/note"]),
        // The same key, written in two ways.
        (format!(r#"{{"note": "n", "n\u006fte": "m", "lines": [{line}]}}"#), vec!["/note"]),
        (
            r#"{"note": "n", "lines": [{"sku": "A", "sku": "B", "quantity": 2, "unit_price": {"amount": 5, "amount": 5, "currency": "EUR"}}]}"#
                .to_owned(),
            vec!["/lines/0/sku", "/lines/0/unit_price/amount"],
        ),
        // Together with other errors, of which the last value decides.
        (format!(r#"{{"lines": [{line}, 7], "note": "n", "note": 7}}"#), vec!["/lines/1", "/note", "/note"]),
        (format!(r#"{{"note": "n", "lines": [{line}], "x": {{"a/b": 1, "a/b": 2}}}}"#), vec!["/x", "/x/a~1b"]),
    ];
    for (body, expected) in cases {
        let reply = send(body.clone()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(reply.locations(), expected, "{body}");
    }
}

#[tokio::test]
async fn numbers_are_integers_by_value() {
    let send_quantity = async |number: &str| {
        send(valid().to_string().replace("\"quantity\":2", &format!("\"quantity\":{number}"))).await
    };
    for number in ["2", "2.0", "20e-1", "0.2e1", "2E+0", "2.000000"] {
        let reply = send_quantity(number).await;
        assert_eq!((reply.status, &reply.body["total"]), (StatusCode::OK, &json!("0.10 EUR")), "{number}");
    }
    for number in [
        "0",
        "-0",
        "-0.0",
        "-2",
        "2.5",
        "1e30",
        "1e-1",
        "9007199254740993.0",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        "1e400",
        "02",
        "2.",
        ".2",
        "+2",
        "NaN",
        "Infinity",
        "\"2\"",
        "true",
        "null",
        "[2]",
        "{}",
    ] {
        let reply = send_quantity(number).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{number}");
        assert_eq!(reply.locations(), ["/lines/0/quantity"], "{number}: {}", reply.body);
    }
}

#[tokio::test]
async fn text_that_is_not_json_is_located() {
    let deep = "[".repeat(1000);
    let nested = format!(r#"{{"note": {}1{}}}"#, "[".repeat(200), "]".repeat(200));
    for (body, location) in [
        ("", ""),
        (" \r\n\t", ""),
        ("\u{feff}{}", ""),
        ("{", ""),
        ("{\"note\"", "/note"),
        ("{\"note\": ", "/note"),
        ("{\"note\": \"n\", }", ""),
        ("{\"note\": n}", "/note"),
        ("{note: 1}", ""),
        ("{'note': 1}", ""),
        ("{\"note\": \"\\ud800\"}", "/note"),
        ("{\"note\": \"\\udc00\\ud800\"}", "/note"),
        ("{\"note\": \"\\x41\"}", "/note"),
        ("{\"note\": \"a\nb\"}", "/note"),
        ("{\"note\": \"n\", \"lines\": [1 2]}", "/lines/1"),
        ("{\"note\": \"n\", \"lines\": [1, /* no */ 2]}", "/lines/1"),
        ("{\"note\": 1e999}", "/note"),
        ("{\"note\": 0x2}", ""),
        ("note=n", ""),
        ("<note/>", ""),
        ("null", ""),
        ("\"note\"", ""),
        ("7", ""),
        ("true", ""),
    ] {
        let reply = send(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert_eq!(reply.locations(), [location], "{body:?}: {}", reply.body);
    }
    for body in [deep, nested] {
        let reply = send(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        let detail = reply.body["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("recursion limit"), "{detail}");
    }
    for bytes in [&b"{\"note\": \"\xff\"}"[..], b"\xff\xfe{\0}\0", b"{\"note\": \"\xed\xa0\x80\"}"] {
        let reply = send(bytes.to_vec()).await;
        assert_eq!((reply.status, reply.locations()), (StatusCode::BAD_REQUEST, vec![""]));
        assert!(reply.body["errors"][0]["detail"].as_str().unwrap().starts_with("must be UTF-8"));
    }
}

#[tokio::test]
async fn a_body_is_utf_8_without_compression() {
    for media_type in [
        "application/json",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
        "application/json; Charset=utf8 ; x=y",
    ] {
        assert_eq!(send_as(media_type, valid().to_string()).await.status, StatusCode::OK, "{media_type}");
    }
    for media_type in [
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "application/json; charset=utf-8; charset=latin1",
        "application/json; charset=",
        "application/json, text/plain",
        "application/problem+json",
    ] {
        let reply = send_as(media_type, valid().to_string()).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
    }
    for (coding, status) in [
        ("gzip", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("br", StatusCode::UNSUPPORTED_MEDIA_TYPE),
        ("identity", StatusCode::OK),
    ] {
        let request = request("POST", "/orders")
            .header("content-type", "application/json")
            .header("content-encoding", coding);
        assert_eq!(call(request.body(valid().to_string().into()).unwrap()).await.status, status, "{coding}");
    }
}

#[tokio::test]
async fn a_problem_lists_a_hundred_errors() {
    let body = json!({"note": "n", "lines": vec![0; 20_000]}).to_string();
    let reply = send(body).await;
    assert_eq!(reply.locations().len(), 100);
    assert_eq!(reply.body["detail"], "The request has 20000 errors: errors lists the first 100.");
    let repeated = "\"a\":0,".repeat(5000);
    let unknown: String = (0..3000).map(|number| format!("\"x{number}\":0,\"x{number}\":0,")).collect();
    for fields in [repeated, unknown] {
        let reply = send(format!("{{{fields}\"note\":\"n\",\"lines\":[]}}")).await;
        assert!((1..=100).contains(&reply.locations().len()));
    }
}

#[tokio::test]
async fn nothing_may_follow_a_body() {
    for suffix in ["{", "x", "{}", "\u{0}", ","] {
        let reply = send(valid().to_string() + suffix).await;
        assert_eq!((reply.status, reply.locations()), (StatusCode::BAD_REQUEST, vec![""]), "{suffix}");
    }
    assert_eq!(send(valid().to_string() + " \r\n\t").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_invalid_field_is_reported_at_once() {
    let body = json!({
        "note": 7,
        "lines": [
            {"sku": "a b", "quantity": 0, "unit_price": {"amount": -1, "currency": "eur"}},
            {"sku": "B", "quantity": "two", "unit_price": {"amount": 1.5}},
            {"quantity": 1_000_000, "unit_price": null},
        ],
    });
    let reply = send(body.to_string()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        reply.locations(),
        [
            "/lines/0/quantity",
            "/lines/0/sku",
            "/lines/0/unit_price/amount",
            "/lines/0/unit_price/currency",
            "/lines/1/quantity",
            "/lines/1/unit_price/amount",
            "/lines/1/unit_price/currency",
            "/lines/2/quantity",
            "/lines/2/sku",
            "/lines/2/unit_price",
            "/note",
        ]
    );
}

#[tokio::test]
async fn unknown_fields_are_reported_together_with_invalid_ones() {
    let mut body = valid();
    body["a/b~c"] = json!("x");
    body["coupon"] = json!({"code": 1});
    body["note"] = json!(1);
    body["lines"][0]["unit_price"]["tax"] = json!(1);
    body["lines"][0]["zzz"] = json!(1);
    body["lines"][0]["sku"] = json!("");
    let reply = send(body.to_string()).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        reply.locations(),
        ["/a~1b~0c", "/coupon", "/lines/0/sku", "/lines/0/unit_price/tax", "/lines/0/zzz", "/note"]
    );
}

#[tokio::test]
async fn lines_that_are_invalid_together_are_one_error() {
    let mut body = valid();
    let line = body["lines"][0].clone();
    body["lines"].as_array_mut().unwrap().push(line);
    assert_eq!(send(body.to_string()).await.locations(), ["/lines"]);
}

#[tokio::test]
async fn invalid_json_is_an_error_of_the_whole_body() {
    for body in ["", "{", "[]", "null", "{\"note\":\"n\"", "\u{0}", "{\"note\":\"n\",\"lines\":[]} x"] {
        let reply = send(body).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{body:?}");
        assert!(!reply.locations().is_empty(), "{body:?}");
    }
    assert_eq!(send(vec![b'"', 0xff, b'"']).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn problems_do_not_repeat_values_of_the_request() {
    let secret = "ada@example.com";
    for body in [
        json!({"note": [secret], "lines": secret}),
        json!({"note": "n", "lines": [{"sku": secret, "quantity": secret, "unit_price": secret}]}),
        json!({"note": "n", "lines": [{"sku": "A", "quantity": 1, "unit_price": {"amount": secret, "currency": secret}}]}),
        json!(secret),
    ] {
        let reply = send(body.to_string()).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
        assert!(!reply.body.to_string().contains("ada"), "{}", reply.body);
    }
}

#[tokio::test]
async fn large_bodies_and_other_media_types_have_their_own_statuses() {
    let large = send(vec![b' '; 64 * 1024 + 1]).await;
    assert_eq!(
        (large.status, &large.body["type"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &json!("urn:serverless-orders:problem:too-large"))
    );
    for kind in
        [None, Some("text/plain"), Some("application/jsonp"), Some("multipart/form-data; x=application/json")]
    {
        let mut request = request("POST", "/orders");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let reply = call(request.body(Body::from(valid().to_string())).unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{kind:?}");
    }
}
