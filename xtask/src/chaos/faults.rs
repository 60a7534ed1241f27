//! What can go wrong in a run, and how often.

use serde::Serialize;
use serde_json::{Value, json};

/// The functions that are killed, by their logical ids.
const FUNCTIONS: [&str; 10] = [
    "OrdersApi",
    "RelayOutbox",
    "TrackOrder",
    "ExpireOrders",
    "InventoryApi",
    "ReserveInventory",
    "SettleReservation",
    "ProcessPayment",
    "VoidPayment",
    "StripeWebhook",
];
/// Also killed, less often because of what it may do twice: send a mail.
const MAILER: &str = "SendEmail";
/// The AWS operations that the functions call.
const OPERATIONS: [(&str, &str); 12] = [
    ("dynamodb", "GetItem"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "PutItem"),
    ("dynamodb", "TransactWriteItems"),
    ("dynamodb", "TransactWriteItems"),
    ("dynamodb", "DeleteItem"),
    ("events", "PutEvents"),
    ("events", "PutEvents"),
    ("sqs", "ChangeMessageVisibility"),
    ("sqs", "SendMessage"),
    ("secretsmanager", "GetSecretValue"),
    ("ses", "SendEmail"),
];
/// What the provider is asked to do.
const PROVIDER_OPERATIONS: [&str; 6] = ["create", "confirm", "confirm", "confirm", "retrieve", "cancel"];
/// An attempt of the SDK in the functions is given up after 5 s (`shared/aws/src/lib.rs`); what is held for
/// longer takes effect when the function no longer waits for it.
const LONGER_THAN_AN_ATTEMPT_MS: (u64, u64) = (5_200, 7_000);

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// All processes of a function get SIGKILL.
    Kill(String),
    /// The payment provider fails: a fault for its control API.
    Provider(Value),
    /// The provider forgets all idempotency keys.
    ForgetKeys,
    /// AWS fails: a rule for microburst, and what the report calls it.
    Aws { name: String, rule: Value },
    /// So many messages that were delivered before are put into the functions' queues once more. The number
    /// chooses which.
    Redeliver { messages: usize, choice: u64 },
}

/// How far apart faults of one kind are on average, in milliseconds, where the rate is 1.
const KILLS_EVERY_MS: f64 = 2_500.0;
const PROVIDER_EVERY_MS: f64 = 2_000.0;
const AWS_EVERY_MS: f64 = 1_500.0;
const REDELIVERY_EVERY_MS: f64 = 3_000.0;
const FORGETTING_EVERY_MS: f64 = 30_000.0;

/// Works out one fault.
type Make = fn(&mut fastrand::Rng) -> Fault;

/// Spreads faults over the time, the earliest first.
pub(super) fn plan(random: &mut fastrand::Rng, span_ms: u64, rate: f64) -> Vec<super::plan::PlannedFault> {
    let kinds: [(f64, Make); 5] = [
        (KILLS_EVERY_MS, kill),
        (PROVIDER_EVERY_MS, provider),
        (AWS_EVERY_MS, aws),
        (REDELIVERY_EVERY_MS, redeliver),
        (FORGETTING_EVERY_MS, |_| Fault::ForgetKeys),
    ];
    let mut faults = Vec::new();
    for (every_ms, make) in kinds {
        for _ in 0..how_many(span_ms, every_ms, rate) {
            let at_ms = random.u64(0..span_ms);
            faults.push(super::plan::PlannedFault { at_ms, fault: make(random) });
        }
    }
    faults.sort_by_key(|planned| planned.at_ms);
    faults
}

#[expect(
    clippy::float_arithmetic,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "how many faults there are need not be exact"
)]
fn how_many(span_ms: u64, every_ms: f64, rate: f64) -> u32 {
    (span_ms as f64 / every_ms * rate.max(0.0)).round() as u32
}

#[expect(clippy::float_arithmetic, reason = "a chance need not be exact")]
fn percent(of_a_hundred: u32) -> f64 {
    f64::from(of_a_hundred) / 100.0
}

fn kill(random: &mut fastrand::Rng) -> Fault {
    let function = if random.u8(0..20) == 0 { Some(MAILER) } else { random.choice(FUNCTIONS) };
    Fault::Kill(function.unwrap_or("ProcessPayment").to_owned())
}

fn redeliver(random: &mut fastrand::Rng) -> Fault {
    Fault::Redeliver { messages: random.usize(5..=20), choice: random.u64(..) }
}

fn provider(random: &mut fastrand::Rng) -> Fault {
    let kind =
        random.choice(["timeout", "reset", "slow", "http_429", "http_500", "http_503", "conflict_409"]);
    let kind = kind.unwrap_or("reset");
    let only_before = matches!(kind, "http_429" | "conflict_409");
    let effect = if only_before || random.bool() { "before" } else { "after" };
    let delay_ms = match kind {
        "timeout" => Some(random.u64(2_000..40_000)),
        "slow" => Some(random.u64(300..35_000)),
        _ => None,
    };
    Fault::Provider(json!({
        "operation": random.choice(PROVIDER_OPERATIONS),
        "kind": kind,
        "effect": effect,
        "times": random.u32(1..=4),
        "delay_ms": delay_ms,
    }))
}

fn aws(random: &mut fastrand::Rng) -> Fault {
    let (service, operation) = random.choice(OPERATIONS).unwrap_or(("dynamodb", "PutItem"));
    let mut rule = json!({
        "service": service,
        "operation": operation,
        "ttl_s": random.u32(2..=6),
        "probability": percent(random.u32(15..=90)),
    });
    let (name, effect) = match random.u8(0..10) {
        0 | 1 => {
            let code = if service == "dynamodb" && random.bool() {
                "ProvisionedThroughputExceededException"
            } else {
                "ThrottlingException"
            };
            ("throttled", json!({ "error": { "code": code } }))
        }
        2 | 3 => ("failed", json!({ "error": { "code": "InternalServerError", "status": 500 } })),
        4 | 5 => ("connection reset before the effect", json!({ "reset": true })),
        6 | 7 => ("answer lost after the effect", json!({ "response": { "abort_bytes": 0 } })),
        8 => {
            let (least, most) = (random.u64(50..400), random.u64(400..2_500));
            ("late", json!({ "latency": { "min": least, "max": most } }))
        }
        _ => {
            let (least, most) = LONGER_THAN_AN_ATTEMPT_MS;
            ("effect after the caller gave up", json!({ "latency": { "min": least, "max": most } }))
        }
    };
    // What only PutEvents can do: answer 200, and refuse an entry.
    let (name, effect) = if operation == "PutEvents" && random.u8(0..3) == 0 {
        let entry = json!({ "ErrorCode": "InternalFailure", "ErrorMessage": "microburst" });
        let fields = json!({ "FailedEntryCount": 1, "Entries": [entry] });
        (
            "200 with a failed entry",
            json!({ "error": { "code": "InternalFailure", "status": 200, "fields": fields } }),
        )
    } else {
        (name, effect)
    };
    if let (Some(rule), Value::Object(effect)) = (rule.as_object_mut(), effect) {
        rule.extend(effect);
    }
    Fault::Aws { name: format!("{service} {operation}: {name}"), rule }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_of_nothing_is_no_fault_and_twice_the_rate_twice_as_many() {
        let count = |rate| plan(&mut fastrand::Rng::with_seed(3), 120_000, rate).len();
        assert_eq!(count(0.0), 0);
        assert_eq!(count(1.0), 48 + 60 + 80 + 40 + 4);
        assert_eq!(count(2.0), 2 * count(1.0));
    }

    #[test]
    fn every_kind_of_fault_comes_up() {
        let faults = plan(&mut fastrand::Rng::with_seed(1), 600_000, 1.0);
        let text = serde_json::to_string(&faults).unwrap();
        for part in [
            "\"timeout\"",
            "\"after\"",
            "http_429",
            "http_500",
            "http_503",
            "forget_keys",
            "redeliver",
            "\"SendEmail\"",
            "\"ProcessPayment\"",
            "failed entry",
            "answer lost",
            "caller gave up",
            "throttled",
            "reset before",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }
}
