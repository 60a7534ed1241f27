//! The template of the repository is what its sources give, and one more consumer is three files.

use std::path::Path;

use anyhow::Result;
use architecture::template::Template;
use architecture::workspace::{Workspace, root, samples_at};
use architecture::{Violations, events, functions, permissions, queues};
use simulation::wiring::Wiring;
use walkdir::WalkDir;

#[test]
fn the_template_is_what_its_sources_give() -> Result<()> {
    let found = std::fs::read_to_string(root().join("template.yaml"))?;
    assert!(
        found == template::assemble(root())?,
        "template.yaml is not up to date: run `cargo xtask template`"
    );
    Ok(())
}

/// What a new consumer is, as CONTRIBUTING.md has it.
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

/// Copies what is in the repository, and not what was made from it.
fn copy(to: &Path) -> Result<()> {
    let made = ["target", ".local", ".git", ".aws-sam", "fonts"];
    let entries = WalkDir::new(root())
        .into_iter()
        .filter_entry(|entry| !made.iter().any(|name| entry.file_name().to_str() == Some(name)));
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

fn none(violations: Violations) {
    assert!(violations.is_empty(), "\n- {}\n", violations.join("\n- "));
}

#[test]
fn a_consumer_is_a_block_a_binary_and_a_sample() -> Result<()> {
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
    none(functions::are_binaries(&template, &Workspace::at(copied)?));
    none(functions::have_sample_events(&template, &samples_at(copied)?));
    none(functions::have_log_groups(&template));
    none(queues::have_dead_letters(&template));
    none(queues::dead_letters_are_noticed(&template));
    none(queues::are_looked_at(&template));
    none(queues::rules_deliver(&template));
    none(queues::belong_to_one_function(&template));
    none(permissions::are_narrow(&template));
    none(permissions::write_their_own_logs(&template));
    none(events::are_listened_to(&template, &events::known()));
    none(events::fit_their_samples(&template, &samples_at(copied)?));

    // The simulation has its subscription, and the model need not know it: it only observes.
    let wiring = Wiring::from_template(&template)?;
    let found = wiring.subscriptions.iter().find(|it| it.function == "CountSales");
    assert!(found.is_some_and(|it| it.is_observer && it.event_types == ["payment.succeeded"]), "{found:?}");
    let participants = Template::of_repository()?.participants();
    assert_eq!(template.participants(), participants);

    // One that takes part is what the model has to know.
    let takes_part = std::fs::read_to_string(&part)?
        .replace("    Observer: true\n    Environment:\n      EMAILS", "    Environment:\n      EMAILS");
    std::fs::write(&part, takes_part)?;
    std::fs::write(copied.join("template.yaml"), template::assemble(copied)?)?;
    let more = Template::at(copied)?.participants();
    let new: Vec<_> = more.difference(&participants).collect();
    assert_eq!(new, [&("payment.succeeded".to_owned(), "count-sales".to_owned())]);
    Ok(())
}

#[test]
fn what_a_block_may_not_have_is_refused_with_its_line() -> Result<()> {
    let wrong = [
        ("    BatchSze: 10\n", "CountSales has no BatchSze"),
        ("    Queue: true\n", "say what calls it"),
        ("    Publishes: [payment.refunded]\n", "an observer listens to the bus, and publishes nothing"),
    ];
    for (line, told) in wrong {
        let folder = tempfile::tempdir()?;
        copy(&folder.path().join("."))?;
        let part = folder.path().join("lambdas/notifications/template.yaml");
        let before = std::fs::read_to_string(&part)?;
        std::fs::write(&part, format!("{before}{BLOCK}{line}"))?;
        let error = format!("{:#}", template::assemble(folder.path()).unwrap_err());
        assert!(error.contains(told) && error.contains("lambdas/notifications"), "{error}");
    }
    Ok(())
}
