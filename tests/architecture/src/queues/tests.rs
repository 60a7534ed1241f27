use serde_json::{Value, json};

use super::*;
use crate::mutant::{assert_reports, repository, with, without};

#[test]
fn a_queue_without_dead_letters() {
    let none = with("SendEmailQueue/Properties/RedrivePolicy", Value::Null);
    assert_reports(&have_dead_letter_queues(&none), &["SendEmailQueue", "RedrivePolicy"]);
    let endless = with("SendEmailQueue/Properties/RedrivePolicy/maxReceiveCount", Value::Null);
    assert_reports(&have_dead_letter_queues(&endless), &["SendEmailQueue", "maxReceiveCount"]);
    let another = json!({ "Fn::GetAtt": ["TrackOrderQueue", "Arn"] });
    let wrong = with("SendEmailQueue/Properties/RedrivePolicy/deadLetterTargetArn", another);
    assert_reports(&have_dead_letter_queues(&wrong), &["SendEmailQueue"]);
}

#[test]
fn a_function_that_uses_the_queues_of_another() {
    let another = json!({ "Fn::GetAtt": ["TrackOrderDeadLetters", "Arn"] });
    let shared = with("SendEmailQueue/Properties/RedrivePolicy/deadLetterTargetArn", another.clone());
    assert_reports(&belong_to_one_function(&shared), &["SendEmail", "SendEmailDeadLetters"]);
    let lost = with("RelayOutboxMapping/Properties/DestinationConfig/OnFailure/Destination", another);
    assert_reports(&belong_to_one_function(&lost), &["RelayOutbox", "RelayOutboxDeadLetters"]);

    for name in ["QUEUE_URL", "DEAD_LETTER_QUEUE_URL"] {
        let other = json!({ "Ref": "TrackOrderQueue" });
        let wrong = with(&format!("SendEmail/Properties/Environment/Variables/{name}"), other);
        assert_reports(&belong_to_one_function(&wrong), &["SendEmail", name]);
    }
    let earlier = with("SendEmailQueue/Properties/RedrivePolicy/maxReceiveCount", json!(3));
    assert_reports(&belong_to_one_function(&earlier), &["SendEmail", "maxReceiveCount"]);
    let variable = with("SendEmail/Properties/Environment/Variables/MAX_RECEIVE_COUNT", json!(3));
    assert_reports(&belong_to_one_function(&variable), &["SendEmail", "MAX_RECEIVE_COUNT"]);
    let different = with("DeliverWebhookQueue/Properties/RedrivePolicy/maxReceiveCount", json!(3));
    assert_reports(&belong_to_one_function(&different), &["DeliverWebhook", "MAX_RECEIVE_COUNT"]);
    let foreign = with("SendEmailMapping/Properties/FunctionName", json!("another-stack-function"));
    assert_reports(&belong_to_one_function(&foreign), &["SendEmailMapping"]);
}

#[test]
fn dead_letters_without_an_alarm() {
    let none = without("SendEmailDeadLettersAlarm");
    assert_reports(&dead_letters_raise_alarms(&none), &["SendEmailDeadLetters", "alarm"]);
    let silent = with("SendEmailDeadLettersAlarm/Properties/AlarmActions", json!([]));
    assert_reports(&dead_letters_raise_alarms(&silent), &["SendEmailDeadLetters", "alarm"]);
    let late = with("SendEmailDeadLettersAlarm/Properties/Threshold", json!(100));
    assert_reports(&dead_letters_raise_alarms(&late), &["SendEmailDeadLetters", "alarm"]);
    let gone = with("SendEmailDeadLetters/Properties/MessageRetentionPeriod", json!(3600));
    assert_reports(&dead_letters_raise_alarms(&gone), &["SendEmailDeadLetters", "MessageRetentionPeriod"]);
}

#[test]
fn a_queue_that_is_not_monitored() {
    let new = repository().changed(|root| {
        root["Resources"]["NewQueue"] = json!({"Type": "AWS::SQS::Queue", "Properties": {}});
    });
    assert_reports(&are_monitored(&new), &["NewQueue", "QUEUES"]);
    let unread = repository().changed(|root| {
        let statements = &mut root["Resources"]["CheckHealthRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        let statements = statements.as_array_mut().unwrap();
        let reads =
            statements.iter_mut().find(|statement| statement["Action"] == "sqs:GetQueueAttributes").unwrap();
        reads["Resource"].as_array_mut().unwrap().retain(|arn| target(arn) != Some("SendEmailQueue"));
    });
    assert_reports(&are_monitored(&unread), &["SendEmailQueue", "read"]);
}

#[test]
fn a_message_that_is_redelivered_too_soon() {
    let short = with("SendEmailQueue/Properties/VisibilityTimeout", json!(179));
    assert_reports(&visibility_timeouts_are_long_enough(&short), &["SendEmailQueue", "180"]);
    let default = with("SendEmailQueue/Properties/VisibilityTimeout", Value::Null);
    assert_reports(&visibility_timeouts_are_long_enough(&default), &["SendEmailQueue", "180"]);
    let slow = with("SendEmail/Properties/Timeout", json!(60));
    assert_reports(&visibility_timeouts_are_long_enough(&slow), &["SendEmailQueue", "360"]);
    let foreign = with("SendEmailMapping/Properties/FunctionName", json!("another-stack-function"));
    assert_reports(&visibility_timeouts_are_long_enough(&foreign), &["SendEmailMapping"]);
}

#[test]
fn a_batch_that_succeeds_or_fails_as_a_whole() {
    for mapping in ["SendEmailMapping", "RelayOutboxMapping"] {
        let whole = with(&format!("{mapping}/Properties/FunctionResponseTypes"), Value::Null);
        assert_reports(&report_batch_item_failures(&whole), &[mapping, "ReportBatchItemFailures"]);
    }
}

#[test]
fn a_stream_that_is_blocked() {
    for setting in ["DestinationConfig", "MaximumRetryAttempts", "BisectBatchOnFunctionError"] {
        let blocked = with(&format!("RelayOutboxMapping/Properties/{setting}"), Value::Null);
        assert_reports(&streams_are_not_blocked(&blocked), &["RelayOutboxMapping", setting]);
    }
}

#[test]
fn a_rule_that_loses_events() {
    let function = json!({ "Fn::GetAtt": ["SendEmail", "Arn"] });
    let direct = with("SendEmailRule/Properties/Targets/0/Arn", function);
    assert_reports(&rules_deliver_to_queues(&direct), &["SendEmailRule", "queue"]);
    let scheduled =
        with("SendEmailRule/Properties/Targets/0/Arn", json!({ "Fn::GetAtt": ["CheckHealth", "Arn"] }));
    assert_reports(&rules_deliver_to_queues(&scheduled), &["SendEmailRule", "queue"]);
    let lost = with("SendEmailRule/Properties/Targets/0/DeadLetterConfig", Value::Null);
    assert_reports(&rules_deliver_to_queues(&lost), &["SendEmailRule", "DeadLetterConfig"]);
}

#[test]
fn a_queue_that_rejects_events_of_its_rule() {
    let rejected = without("SendEmailQueuePolicy");
    assert_reports(&rules_deliver_to_queues(&rejected), &["SendEmailQueue", "SendEmailRule"]);
    let rejected = without("SendEmailDeadLettersPolicy");
    assert_reports(&rules_deliver_to_queues(&rejected), &["SendEmailDeadLetters", "SendEmailRule"]);
    let open = with("SendEmailQueuePolicy/Properties/PolicyDocument/Statement/0/Condition", Value::Null);
    assert_reports(&rules_deliver_to_queues(&open), &["SendEmailQueue", "aws:SourceArn"]);
}

#[test]
fn a_schedule_that_fails_silently() {
    let lost = with("ExpireOrders/Properties/Events/Schedule/Properties/DeadLetterConfig", Value::Null);
    assert_reports(&schedules_have_dead_letter_queues(&lost), &["ExpireOrders", "DeadLetterConfig"]);
    let unseen = with("ExpireOrders/Properties/EventInvokeConfig", Value::Null);
    assert_reports(&schedules_have_dead_letter_queues(&unseen), &["ExpireOrders", "OnFailure"]);
}

#[test]
fn a_retry_after_the_maximum_event_age() {
    let young = with("ExpireOrders/Properties/EventInvokeConfig/MaximumEventAgeInSeconds", json!(60));
    assert_reports(&schedules_have_dead_letter_queues(&young), &["ExpireOrders", "120"]);
    assert_eq!(max_retry_age(180, 1), 240);
    assert_eq!(max_retry_age(600, 2), 1380);
}
