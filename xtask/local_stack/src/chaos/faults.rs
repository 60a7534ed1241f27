//! The faults that a run injects, and how often.

use serde::Serialize;
use serde_json::{Value, json};

/// The functions whose processes are killed, by logical id.
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
/// Killed less often, because it may then send an email twice.
const MAILER: &str = "SendEmail";
/// The AWS operations that the functions call. Repeated entries are chosen more often.
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
/// The operations of the payment provider. Repeated entries are chosen more often.
const PROVIDER_OPERATIONS: [&str; 6] = ["create", "confirm", "confirm", "confirm", "retrieve", "cancel"];
/// The SDK in the functions abandons an attempt after 5 s (`shared/aws/src/lib.rs`). A request that
/// is delayed longer takes effect when the function no longer waits for it.
const BEYOND_ATTEMPT_TIMEOUT_MS: (u64, u64) = (5_200, 7_000);

/// A fault to inject.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fault {
    /// Sends SIGKILL to all processes of a function.
    Kill(String),
    /// The payment provider fails: a fault for its control API.
    Provider(Value),
    /// The provider forgets all idempotency keys.
    ForgetKeys,
    /// AWS fails: a rule for microburst, and its name in the report.
    Aws { name: String, rule: Value },
    /// Sends copies of earlier messages to the functions' queues. `seed` determines which.
    Redeliver {
        messages: usize,
        #[serde(rename = "choice")]
        seed: u64,
    },
}

/// The mean interval between faults of one kind, in milliseconds, at a fault rate of 1.
const KILL_INTERVAL_MS: f64 = 2_500.0;
const PROVIDER_FAULT_INTERVAL_MS: f64 = 2_000.0;
const AWS_FAULT_INTERVAL_MS: f64 = 1_500.0;
const REDELIVERY_INTERVAL_MS: f64 = 3_000.0;
const KEY_LOSS_INTERVAL_MS: f64 = 30_000.0;

/// Generates a fault.
type Generator = fn(&mut fastrand::Rng) -> Fault;

/// Distributes faults over the run, the earliest first.
pub(super) fn plan(random: &mut fastrand::Rng, span_ms: u64, rate: f64) -> Vec<super::plan::PlannedFault> {
    let kinds: [(f64, Generator); 5] = [
        (KILL_INTERVAL_MS, kill),
        (PROVIDER_FAULT_INTERVAL_MS, provider),
        (AWS_FAULT_INTERVAL_MS, aws),
        (REDELIVERY_INTERVAL_MS, redeliver),
        (KEY_LOSS_INTERVAL_MS, |_| Fault::ForgetKeys),
    ];
    let mut faults = Vec::new();
    for (interval_ms, generate) in kinds {
        for _ in 0..fault_count(span_ms, interval_ms, rate) {
            let at_ms = random.u64(0..span_ms);
            faults.push(super::plan::PlannedFault { at_ms, fault: generate(random) });
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
    reason = "the number of faults need not be exact"
)]
fn fault_count(span_ms: u64, interval_ms: f64, rate: f64) -> u32 {
    (span_ms as f64 / interval_ms * rate.max(0.0)).round() as u32
}

#[expect(clippy::float_arithmetic, reason = "a probability need not be exact")]
fn percent(value: u32) -> f64 {
    f64::from(value) / 100.0
}

fn kill(random: &mut fastrand::Rng) -> Fault {
    let function = if random.u8(0..20) == 0 { Some(MAILER) } else { random.choice(FUNCTIONS) };
    Fault::Kill(function.unwrap_or("ProcessPayment").to_owned())
}

fn redeliver(random: &mut fastrand::Rng) -> Fault {
    Fault::Redeliver { messages: random.usize(5..=20), seed: random.u64(..) }
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
            let (min, max) = (random.u64(50..400), random.u64(400..2_500));
            ("late", json!({ "latency": { "min": min, "max": max } }))
        }
        _ => {
            let (min, max) = BEYOND_ATTEMPT_TIMEOUT_MS;
            ("effect after the caller gave up", json!({ "latency": { "min": min, "max": max } }))
        }
    };
    // Only PutEvents can respond with 200 and still reject an entry.
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
    fn the_number_of_faults_is_proportional_to_the_rate() {
        let count = |rate| plan(&mut fastrand::Rng::with_seed(3), 120_000, rate).len();
        assert_eq!(count(0.0), 0);
        assert_eq!(count(1.0), 48 + 60 + 80 + 40 + 4);
        assert_eq!(count(2.0), 2 * count(1.0));
    }

    #[test]
    fn every_kind_of_fault_is_generated() {
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
