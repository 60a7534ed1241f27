//! The rules of uploads.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn image() -> Image {
    let original = Original {
        format: OriginalFormat::Png,
        bytes: 1000,
        width: 40,
        height: 20,
        orientation: 1,
        animated: false,
        colors: Colors::AssumedSrgb,
    };
    Image { original, renditions: Vec::new() }
}

fn upload(number: u128) -> Upload {
    Upload {
        sku: "TEA-001".parse().unwrap(),
        id: UploadId::from(Uuid::from_u128(number)),
        requested_at: Timestamp::UNIX_EPOCH,
        cause: Cause { correlation_id: "request-1".parse().unwrap(), causation_id: None, traceparent: None },
        state: UploadState::Pending,
    }
}

fn finding() -> impl Strategy<Value = ProcessingResult> {
    prop_oneof![
        Just(ProcessingResult::Ready(image())),
        Just(ProcessingResult::Rejected(RejectReason::Malware)),
        Just(ProcessingResult::Rejected(RejectReason::Malformed)),
    ]
}

proptest! {
    /// Whatever is found out, and however often: the first finding stays, and the bus is told the same thing of it.
    #[test]
    fn the_first_finding_decides(findings in prop::collection::vec(finding(), 1..6)) {
        let mut upload = upload(1);
        let mut told = Vec::new();
        for (second, finding) in (1_i64..).zip(findings.clone()) {
            let at = Timestamp::from_second(second).unwrap();
            let decided = upload.complete(finding, at);
            prop_assert_eq!(decided.is_some(), second == 1);
            upload = decided.unwrap_or(upload);
            told.extend(upload.event());
        }
        let wanted = match &findings[0] {
            ProcessingResult::Ready(_) => "product.image_ready",
            ProcessingResult::Rejected(_) => "product.image_rejected",
        };
        prop_assert!(told.iter().all(|event| *event == told[0] && event.fact.name() == wanted));
        let json = serde_json::to_string(&upload).unwrap();
        prop_assert_eq!(serde_json::from_str::<Upload>(&json).unwrap(), upload);
    }

    /// In whatever order uploads become ready or not: the product's picture is that of the newest ready one.
    #[test]
    fn the_newest_ready_upload_is_the_picture(order in Just((1_u128..8).collect::<Vec<_>>()).prop_shuffle(), bad in prop::collection::vec(any::<bool>(), 8)) {
        let mut current = None;
        for number in &order {
            let bad = bad[usize::try_from(*number).unwrap()];
            let finding = if bad { ProcessingResult::Rejected(RejectReason::Malware) } else { ProcessingResult::Ready(image()) };
            let decided = upload(*number).complete(finding, Timestamp::UNIX_EPOCH).unwrap();
            if decided.replaces(current) {
                current = Some(decided.id);
            }
        }
        let newest = order.iter().copied().filter(|number| !bad[usize::try_from(*number).unwrap()]).max();
        prop_assert_eq!(current, newest.map(|number| upload(number).id));
    }
}

#[test]
fn a_pending_upload_is_nobodys_picture_and_no_event() {
    assert!(!upload(2).replaces(None));
    assert_eq!(upload(2).event(), None);
}

#[test]
fn an_event_names_the_product_and_reads_back() {
    let event = upload(1).complete(ProcessingResult::Rejected(RejectReason::TooManyPixels), Timestamp::UNIX_EPOCH);
    let event = event.and_then(|upload| upload.event()).unwrap();
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["subject"], "TEA-001");
    assert_eq!(json["source"], "media");
    assert_eq!(json["dataschema"], "urn:serverless-orders:event:product.image_rejected:1");
    assert_eq!(json["data"]["reason"], "too_many_pixels");
    assert_eq!(serde_json::from_value::<Event<ProductFact>>(json).unwrap(), event);
}
