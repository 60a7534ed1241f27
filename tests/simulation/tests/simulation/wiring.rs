//! The wiring is that of `template.yaml`.

use architecture::template::Template;
use serde_json::json;
use simulation::wiring::Wiring;

#[test]
fn each_function_reads_the_stream_that_is_mapped_to_it() {
    let template = || Template::of_repository().unwrap();
    let of = |template: &Template, function: &str| {
        let streams = Wiring::from_template(template).unwrap().streams;
        streams.into_iter().filter(|stream| stream.function == function).collect::<Vec<_>>()
    };
    // Streams of other functions, before and behind that of the relay.
    let with_others = template().changed(|root| {
        for id in ["AnotherStream", "ZAnotherStream"] {
            root["Resources"][id] = json!({
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": { "Fn::GetAtt": ["OutboxTable", "StreamArn"] },
                    "FunctionName": { "Ref": "AnotherFunction" },
                    "BatchSize": 1,
                    "MaximumRetryAttempts": 1,
                },
            });
        }
    });
    for (function, table) in [("RelayOutbox", "OutboxTable"), ("IndexOrder", "OrdersTable")] {
        let streams = of(&template(), function);
        assert_eq!(streams.iter().map(|stream| stream.table.as_str()).collect::<Vec<_>>(), [table]);
        assert_eq!(of(&with_others, function), streams);
    }
    assert_eq!(of(&with_others, "AnotherFunction").len(), 2);
}

#[test]
fn rules_match_the_sources_that_own_their_events() {
    let wiring = Wiring::from_repository().unwrap();
    let sources = |function: &str| {
        let found = wiring.subscriptions.iter().find(|subscription| subscription.function == function);
        found.unwrap().sources.join(", ")
    };
    assert_eq!(sources("ReserveInventory"), "orders");
    assert_eq!(sources("VoidPayment"), "orders");
    assert_eq!(sources("SettleReservation"), "payments");
    assert_eq!(sources("ProcessPayment"), "inventory, payments");
    let other_service = Template::of_repository()
        .unwrap()
        .changed(|root| root["Parameters"]["OrderSources"]["Default"] = json!("orders,marketplace"));
    let wiring = Wiring::from_template(&other_service).unwrap();
    let reserve =
        wiring.subscriptions.iter().find(|subscription| subscription.function == "ReserveInventory");
    assert_eq!(reserve.unwrap().sources, ["orders", "marketplace"]);
}
