//! Tests of uploads.

use std::collections::BTreeSet;

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

fn any_result() -> impl Strategy<Value = ProcessingResult> {
    prop_oneof![
        Just(ProcessingResult::Ready(image())),
        Just(ProcessingResult::Rejected(RejectReason::Malware)),
        Just(ProcessingResult::Rejected(RejectReason::Malformed)),
    ]
}

proptest! {
    /// However many results arrive, the first one counts, and every published event is the same.
    #[test]
    fn the_first_result_counts(results in prop::collection::vec(any_result(), 1..6)) {
        let mut upload = upload(1);
        let mut events = Vec::new();
        for (second, result) in (1_i64..).zip(results.clone()) {
            let at = Timestamp::from_second(second).unwrap();
            let completed = upload.complete(result, at);
            prop_assert_eq!(completed.is_some(), second == 1);
            upload = completed.unwrap_or(upload);
            events.extend(upload.event());
        }
        let expected = match &results[0] {
            ProcessingResult::Ready(_) => "product.image_ready",
            ProcessingResult::Rejected(_) => "product.image_rejected",
        };
        prop_assert!(events.iter().all(|event| *event == events[0] && event.fact.name() == expected));
        let json = serde_json::to_string(&upload).unwrap();
        prop_assert_eq!(serde_json::from_str::<Upload>(&json).unwrap(), upload);
    }

    /// In whatever order uploads complete, the image of the product is that of the newest one that is ready.
    #[test]
    fn the_newest_ready_upload_provides_the_image(order in Just((1_u128..8).collect::<Vec<_>>()).prop_shuffle(), rejected in prop::collection::vec(any::<bool>(), 8)) {
        let mut current = None;
        for number in &order {
            let rejected = rejected[usize::try_from(*number).unwrap()];
            let result = if rejected { ProcessingResult::Rejected(RejectReason::Malware) } else { ProcessingResult::Ready(image()) };
            let completed = upload(*number).complete(result, Timestamp::UNIX_EPOCH).unwrap();
            if completed.replaces(current) {
                current = Some(completed.id);
            }
        }
        let newest = order.iter().copied().filter(|number| !rejected[usize::try_from(*number).unwrap()]).max();
        prop_assert_eq!(current, newest.map(|number| upload(number).id));
    }
}

#[test]
fn a_pending_upload_replaces_no_image_and_has_no_event() {
    assert!(!upload(2).replaces(None));
    assert_eq!(upload(2).event(), None);
}

#[test]
fn an_image_is_not_replaced_by_itself() {
    let ready = upload(2).complete(ProcessingResult::Ready(image()), Timestamp::UNIX_EPOCH).unwrap();
    assert!(ready.replaces(None) && ready.replaces(Some(upload(1).id)));
    assert!(!ready.replaces(Some(ready.id)) && !ready.replaces(Some(upload(3).id)));
}

#[test]
fn each_upload_has_its_own_event_id() {
    let event = |number, result| {
        upload(number).complete(result, Timestamp::UNIX_EPOCH).and_then(|upload| upload.event()).unwrap().id
    };
    let ready = |number| event(number, ProcessingResult::Ready(image()));
    let rejected = |number| event(number, ProcessingResult::Rejected(RejectReason::Malware));
    assert_eq!(ready(1), ready(1));
    assert!(ready(1) != ready(2) && rejected(1) != rejected(2) && ready(1) != rejected(1));
}

#[test]
fn renditions_have_the_documented_sizes_and_formats() {
    let sides = RenditionSize::ALL.map(|size| (size.as_ref().to_owned(), size.max_side()));
    assert_eq!(sides, [("full".into(), 1600), ("card".into(), 480), ("thumbnail".into(), 160)]);
    let formats = [RenditionFormat::Webp, RenditionFormat::Jpeg]
        .map(|format| (format.media_type(), format.extension()));
    assert_eq!(formats, [("image/webp", "webp"), ("image/jpeg", "jpg")]);
}

#[test]
fn each_rejection_has_its_own_explanation() {
    use RejectReason::{
        Expired, Malformed, Malware, NotAnImage, NotScannable, ScanFailed, TooLarge, TooManyPixels,
    };
    let all = [Malware, NotScannable, ScanFailed, TooLarge, TooManyPixels, NotAnImage, Malformed, Expired];
    let explanations = BTreeSet::from(all.map(RejectReason::explanation));
    assert_eq!(explanations.len(), all.len());
    assert!(explanations.iter().all(|text| text.starts_with("The ") && text.ends_with('.')));
}

#[test]
fn an_event_names_the_product_and_round_trips() {
    let event =
        upload(1).complete(ProcessingResult::Rejected(RejectReason::TooManyPixels), Timestamp::UNIX_EPOCH);
    let event = event.and_then(|upload| upload.event()).unwrap();
    let json = serde_json::to_value(&event).unwrap();
    assert_eq!(json["subject"], "TEA-001");
    assert_eq!(json["source"], "media");
    assert_eq!(json["dataschema"], "urn:serverless-orders:event:product.image_rejected:1");
    assert_eq!(json["data"]["reason"], "too_many_pixels");
    assert_eq!(serde_json::from_value::<Event<ProductFact>>(json).unwrap(), event);
}
