//! The template of the repository is up to date, and a new consumer needs only three files.

use std::path::Path;

use anyhow::Result;
use architecture::template::Template;
use architecture::workspace::{Workspace, root, samples_at};
use architecture::{Violations, events, functions, permissions, queues};
use simulation::services::by_logical_id;
use simulation::wiring::Wiring;
use walkdir::WalkDir;

#[test]
fn the_template_is_up_to_date() -> Result<()> {
    let found = std::fs::read_to_string(root().join("template.yaml"))?;
    assert!(found == template::assemble(root())?, "template.yaml is out of date: run `cargo xtask template`");
    Ok(())
}

#[test]
fn the_readmes_are_up_to_date() -> Result<()> {
    for (path, text) in template::readmes(root())? {
        let found = std::fs::read_to_string(root().join(&path)).unwrap_or_default();
        assert!(found == text, "{path} is out of date: run `cargo xtask template`");
    }
    Ok(())
}

/// The block of a new consumer, as described in CONTRIBUTING.md.
const BLOCK: &str = "
  CountSales:
    Description: Counts what was sold
    Events: [payment.succeeded]
    Mapping:
      BatchSize: 10
    Observer: true
    Environment:
      EMAILS_TABLE: !Ref EmailsTable
    Permissions:
      - Action: dynamodb:PutItem
        Resource: !GetAtt EmailsTable.Arn
";

/// Copies the repository without generated folders.
fn copy(to: &Path) -> Result<()> {
    let generated = ["target", ".local", ".git", ".aws-sam", "fonts"];
    let entries = WalkDir::new(root())
        .into_iter()
        .filter_entry(|entry| !generated.iter().any(|name| entry.file_name().to_str() == Some(name)));
    for entry in entries {
        let entry = entry?;
        let path = to.join(entry.path().strip_prefix(root())?);
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(path)?;
        } else if entry.file_type().is_file() {
            std::fs::copy(entry.path(), path)?;
        }
    }
    Ok(())
}

fn assert_none(violations: Violations) {
    assert!(violations.is_empty(), "\n- {}\n", violations.join("\n- "));
}

#[test]
fn a_consumer_needs_a_block_a_binary_and_a_sample() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let copied = folder.path();
    copy(copied)?;
    let part = copied.join("lambdas/notifications/template.yaml");
    let before = std::fs::read_to_string(&part)?;
    std::fs::write(&part, before + BLOCK)?;
    std::fs::write(
        copied.join("lambdas/notifications/src/bin/count-sales.rs"),
        "//! Counts sales.\nfn main() {}\n",
    )?;
    std::fs::copy(root().join("events/issue-invoice.json"), copied.join("events/count-sales.json"))?;
    std::fs::write(copied.join("template.yaml"), template::assemble(copied)?)?;

    let template = Template::at(copied)?;
    let resources = [
        ("AWS::Serverless::Function", ""),
        ("AWS::IAM::Role", "Role"),
        ("AWS::Logs::LogGroup", "LogGroup"),
        ("AWS::Events::Rule", "Rule"),
        ("AWS::SQS::Queue", "Queue"),
        ("AWS::SQS::QueuePolicy", "QueuePolicy"),
        ("AWS::Lambda::EventSourceMapping", "Mapping"),
        ("AWS::SQS::Queue", "DeadLetters"),
        ("AWS::SQS::QueuePolicy", "DeadLettersPolicy"),
        ("AWS::CloudWatch::Alarm", "DeadLettersAlarm"),
    ];
    for (kind, suffix) in resources {
        let id = format!("CountSales{suffix}");
        assert!(template.all(kind).contains_key(id.as_str()), "{id}");
    }
    assert_none(functions::match_binaries(&template, &Workspace::at(copied)?));
    assert_none(functions::have_sample_events(&template, &samples_at(copied)?));
    assert_none(functions::have_log_groups(&template));
    assert_none(queues::have_dead_letter_queues(&template));
    assert_none(queues::dead_letters_raise_alarms(&template));
    assert_none(queues::are_monitored(&template));
    assert_none(queues::rules_deliver_to_queues(&template));
    assert_none(queues::belong_to_one_function(&template));
    assert_none(permissions::are_least_privilege(&template));
    assert_none(permissions::write_only_own_logs(&template));
    assert_none(events::have_subscribers(&template, &events::event_types()));
    assert_none(events::samples_match_subscriptions(&template, &samples_at(copied)?));

    // The simulation reads its subscription, and says that it does not know the function. The model does not need it,
    // because it only observes.
    let wiring = Wiring::from_template(&template)?;
    let found = wiring.subscriptions.iter().find(|it| it.function == "CountSales");
    assert!(found.is_some_and(|it| it.event_types == ["payment.succeeded"]), "{found:?}");
    let unknown = by_logical_id("CountSales").unwrap_err().to_string();
    assert!(unknown.contains("add it to the functions of its service"), "{unknown}");
    let participants = Template::of_repository()?.participants();
    assert_eq!(template.participants(), participants);

    // A participant has to be added to the model.
    let participant = std::fs::read_to_string(&part)?
        .replace("    Observer: true\n    Environment:\n      EMAILS", "    Environment:\n      EMAILS");
    std::fs::write(&part, participant)?;
    std::fs::write(copied.join("template.yaml"), template::assemble(copied)?)?;
    let more = Template::at(copied)?.participants();
    let new: Vec<_> = more.difference(&participants).collect();
    assert_eq!(new, [&("payment.succeeded".to_owned(), "count-sales".to_owned())]);
    Ok(())
}

#[test]
fn an_invalid_block_is_rejected() -> Result<()> {
    let invalid_lines = [
        ("    BatchSze: 10\n", "CountSales has an unknown key BatchSze"),
        ("    Queue: true\n", "set exactly one trigger"),
        (
            "    Publishes: [payment.refunded]\n",
            "an observer must subscribe to events and must not publish any",
        ),
        (
            "  Greet:\n    Description: Greets\n    Invoke: true\n    Alarm: greet failed.\n",
            "Greet: remove Alarm: it words the alarm of the dead-letter queue",
        ),
    ];
    for (line, message) in invalid_lines {
        let folder = tempfile::tempdir()?;
        copy(&folder.path().join("."))?;
        let part = folder.path().join("lambdas/notifications/template.yaml");
        let before = std::fs::read_to_string(&part)?;
        std::fs::write(&part, format!("{before}{BLOCK}{line}"))?;
        let error = format!("{:#}", template::assemble(folder.path()).unwrap_err());
        assert!(error.contains(message) && error.contains("lambdas/notifications"), "{error}");
    }
    Ok(())
}
