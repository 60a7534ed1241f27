use serde_json::{Value, json};

use super::*;
use crate::mutant::{assert_tells, repository, with, without};

#[test]
fn a_queue_without_dead_letters() {
    let none = with("SendEmailQueue/Properties/RedrivePolicy", Value::Null);
    assert_tells(&have_dead_letters(&none), &["SendEmailQueue", "RedrivePolicy"]);
    let endless = with("SendEmailQueue/Properties/RedrivePolicy/maxReceiveCount", Value::Null);
    assert_tells(&have_dead_letters(&endless), &["SendEmailQueue", "maxReceiveCount"]);
    let another = json!({ "Fn::GetAtt": ["TrackOrderQueue", "Arn"] });
    let wrong = with("SendEmailQueue/Properties/RedrivePolicy/deadLetterTargetArn", another);
    assert_tells(&have_dead_letters(&wrong), &["SendEmailQueue"]);
}

#[test]
fn a_function_that_works_on_the_queues_of_another() {
    let another = json!({ "Fn::GetAtt": ["TrackOrderDeadLetters", "Arn"] });
    let shared = with("SendEmailQueue/Properties/RedrivePolicy/deadLetterTargetArn", another.clone());
    assert_tells(&belong_to_one_function(&shared), &["SendEmail", "SendEmailDeadLetters"]);
    let lost = with("RelayOutboxMapping/Properties/DestinationConfig/OnFailure/Destination", another);
    assert_tells(&belong_to_one_function(&lost), &["RelayOutbox", "RelayOutboxDeadLetters"]);

    for name in ["QUEUE_URL", "DEAD_LETTER_QUEUE_URL"] {
        let other = json!({ "Ref": "TrackOrderQueue" });
        let wrong = with(&format!("SendEmail/Properties/Environment/Variables/{name}"), other);
        assert_tells(&belong_to_one_function(&wrong), &["SendEmail", name]);
    }
    let earlier = with("SendEmailQueue/Properties/RedrivePolicy/maxReceiveCount", json!(3));
    assert_tells(&belong_to_one_function(&earlier), &["SendEmail", "maxReceiveCount"]);
    let told = with("SendEmail/Properties/Environment/Variables/MAX_RECEIVE_COUNT", json!(3));
    assert_tells(&belong_to_one_function(&told), &["SendEmail", "MAX_RECEIVE_COUNT"]);
    let apart = with("DeliverWebhookQueue/Properties/RedrivePolicy/maxReceiveCount", json!(3));
    assert_tells(&belong_to_one_function(&apart), &["DeliverWebhook", "MAX_RECEIVE_COUNT"]);
    let foreign = with("SendEmailMapping/Properties/FunctionName", json!("another-stack-function"));
    assert_tells(&belong_to_one_function(&foreign), &["SendEmailMapping"]);
}

#[test]
fn dead_letters_that_nobody_hears_of() {
    let none = without("SendEmailDeadLettersAlarm");
    assert_tells(&dead_letters_are_noticed(&none), &["SendEmailDeadLetters", "alarm"]);
    let mute = with("SendEmailDeadLettersAlarm/Properties/AlarmActions", json!([]));
    assert_tells(&dead_letters_are_noticed(&mute), &["SendEmailDeadLetters", "alarm"]);
    let late = with("SendEmailDeadLettersAlarm/Properties/Threshold", json!(100));
    assert_tells(&dead_letters_are_noticed(&late), &["SendEmailDeadLetters", "alarm"]);
    let gone = with("SendEmailDeadLetters/Properties/MessageRetentionPeriod", json!(3600));
    assert_tells(&dead_letters_are_noticed(&gone), &["SendEmailDeadLetters", "MessageRetentionPeriod"]);
}

#[test]
fn a_queue_that_nobody_looks_at() {
    let new = repository().changed(|root| {
        root["Resources"]["NewQueue"] = json!({"Type": "AWS::SQS::Queue", "Properties": {}});
    });
    assert_tells(&are_looked_at(&new), &["NewQueue", "QUEUES"]);
    let unread = repository().changed(|root| {
        let statements = &mut root["Resources"]["CheckHealthRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"];
        let statements = statements.as_array_mut().unwrap();
        let reads =
            statements.iter_mut().find(|statement| statement["Action"] == "sqs:GetQueueAttributes").unwrap();
        reads["Resource"].as_array_mut().unwrap().retain(|arn| target(arn) != Some("SendEmailQueue"));
    });
    assert_tells(&are_looked_at(&unread), &["SendEmailQueue", "read"]);
}

#[test]
fn a_message_that_comes_back_too_soon() {
    let short = with("SendEmailQueue/Properties/VisibilityTimeout", json!(179));
    assert_tells(&stay_invisible_long_enough(&short), &["SendEmailQueue", "180"]);
    let default = with("SendEmailQueue/Properties/VisibilityTimeout", Value::Null);
    assert_tells(&stay_invisible_long_enough(&default), &["SendEmailQueue", "180"]);
    let slow = with("SendEmail/Properties/Timeout", json!(60));
    assert_tells(&stay_invisible_long_enough(&slow), &["SendEmailQueue", "360"]);
    let foreign = with("SendEmailMapping/Properties/FunctionName", json!("another-stack-function"));
    assert_tells(&stay_invisible_long_enough(&foreign), &["SendEmailMapping"]);
}

#[test]
fn a_batch_that_succeeds_or_fails_as_a_whole() {
    for mapping in ["SendEmailMapping", "RelayOutboxMapping"] {
        let whole = with(&format!("{mapping}/Properties/FunctionResponseTypes"), Value::Null);
        assert_tells(&answer_for_each_record(&whole), &[mapping, "ReportBatchItemFailures"]);
    }
}

#[test]
fn a_stream_that_gets_stuck() {
    for setting in ["DestinationConfig", "MaximumRetryAttempts", "BisectBatchOnFunctionError"] {
        let stuck = with(&format!("RelayOutboxMapping/Properties/{setting}"), Value::Null);
        assert_tells(&streams_go_on(&stuck), &["RelayOutboxMapping", setting]);
    }
}

#[test]
fn a_rule_that_loses_events() {
    let function = json!({ "Fn::GetAtt": ["SendEmail", "Arn"] });
    let direct = with("SendEmailRule/Properties/Targets/0/Arn", function);
    assert_tells(&rules_deliver(&direct), &["SendEmailRule", "queue"]);
    let lost = with("SendEmailRule/Properties/Targets/0/DeadLetterConfig", Value::Null);
    assert_tells(&rules_deliver(&lost), &["SendEmailRule", "DeadLetterConfig"]);
}

#[test]
fn a_queue_that_does_not_take_what_the_rule_sends() {
    let refused = without("SendEmailQueuePolicy");
    assert_tells(&rules_deliver(&refused), &["SendEmailQueue", "SendEmailRule"]);
    let refused = without("SendEmailDeadLettersPolicy");
    assert_tells(&rules_deliver(&refused), &["SendEmailDeadLetters", "SendEmailRule"]);
    let open = with("SendEmailQueuePolicy/Properties/PolicyDocument/Statement/0/Condition", Value::Null);
    assert_tells(&rules_deliver(&open), &["SendEmailQueue", "aws:SourceArn"]);
}

#[test]
fn a_schedule_that_fails_unseen() {
    let lost = with("ExpireOrders/Properties/Events/Schedule/Properties/DeadLetterConfig", Value::Null);
    assert_tells(&schedules_are_noticed(&lost), &["ExpireOrders", "DeadLetterConfig"]);
    let unseen = with("ExpireOrders/Properties/EventInvokeConfig", Value::Null);
    assert_tells(&schedules_are_noticed(&unseen), &["ExpireOrders", "OnFailure"]);
}

#[test]
fn a_retry_that_comes_too_late() {
    let young = with("ExpireOrders/Properties/EventInvokeConfig/MaximumEventAgeInSeconds", json!(60));
    assert_tells(&schedules_are_noticed(&young), &["ExpireOrders", "120"]);
    assert_eq!(retry_age(180, 1), 240);
    assert_eq!(retry_age(600, 2), 1380);
}
