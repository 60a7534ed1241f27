//! The repository as it is breaks none of its rules.

use anyhow::Result;
use architecture::template::Template;
use architecture::workspace::{Workspace, samples};
use architecture::{
    Violations, catalogue, events, functions, idempotency, packages, permissions, queues, usage,
};

#[track_caller]
fn none(violations: &Violations) {
    assert!(violations.is_empty(), "\n- {}\n", violations.join("\n- "));
}

#[test]
fn each_function_is_a_binary_and_each_binary_a_function() -> Result<()> {
    let workspace = Workspace::of_repository()?;
    none(&functions::are_binaries(&Template::of_repository()?, &workspace));
    none(&functions::have_names_of_their_own(&workspace));
    Ok(())
}

#[test]
fn each_function_has_a_sample_event() -> Result<()> {
    none(&functions::have_sample_events(&Template::of_repository()?, &samples()?));
    Ok(())
}

#[test]
fn each_function_has_a_log_group() -> Result<()> {
    none(&functions::have_log_groups(&Template::of_repository()?));
    Ok(())
}

#[test]
fn each_queue_has_dead_letters_that_are_noticed() -> Result<()> {
    let template = Template::of_repository()?;
    none(&queues::have_dead_letters(&template));
    none(&queues::belong_to_one_function(&template));
    none(&queues::dead_letters_are_noticed(&template));
    none(&queues::are_looked_at(&template));
    Ok(())
}

#[test]
fn each_message_stays_invisible_while_it_is_worked_on() -> Result<()> {
    none(&queues::stay_invisible_long_enough(&Template::of_repository()?));
    Ok(())
}

#[test]
fn each_claim_outlives_what_can_come_again() -> Result<()> {
    let template = Template::of_repository()?;
    none(&idempotency::claims_outlive_messages(&template));
    none(&idempotency::claims_outlast_runs(&template));
    Ok(())
}

#[test]
fn each_batch_is_answered_record_by_record() -> Result<()> {
    let template = Template::of_repository()?;
    none(&queues::answer_for_each_record(&template));
    none(&queues::streams_go_on(&template));
    Ok(())
}

#[test]
fn each_rule_and_schedule_delivers_or_tells() -> Result<()> {
    let template = Template::of_repository()?;
    none(&queues::rules_deliver(&template));
    none(&queues::schedules_are_noticed(&template));
    Ok(())
}

#[test]
fn each_function_may_do_what_it_needs_and_no_more() -> Result<()> {
    let template = Template::of_repository()?;
    none(&permissions::are_not_shared(&template));
    none(&permissions::are_not_widened_by_triggers(&template));
    none(&permissions::are_narrow(&template));
    none(&permissions::write_their_own_logs(&template));
    none(&permissions::publish_what_they_say(&template));
    none(&permissions::send_from_one_address(&template));
    none(&permissions::exceptions_are_needed(&template));
    none(&permissions::tell_missing_from_forbidden(&template));
    Ok(())
}

#[test]
fn each_permission_is_for_a_call_of_an_adapter() -> Result<()> {
    let (template, workspace) = (Template::of_repository()?, Workspace::of_repository()?);
    none(&usage::operations_are_known(&workspace));
    none(&usage::no_permission_is_unneeded(&template, &workspace));
    none(&usage::no_permission_is_missing(&template, &workspace));
    Ok(())
}

#[test]
fn each_event_has_listeners_and_samples_that_fit() -> Result<()> {
    let template = Template::of_repository()?;
    none(&events::are_listened_to(&template, &events::known()));
    none(&events::fit_their_samples(&template, &samples()?));
    none(&events::rules_are_named_after_functions(&template));
    Ok(())
}

#[test]
fn the_layers_stay_apart() -> Result<()> {
    let workspace = Workspace::of_repository()?;
    none(&packages::domain_is_pure(&workspace));
    none(&packages::services_are_apart(&workspace));
    none(&packages::emulator_is_unknown(&workspace));
    none(&packages::sdk_stays_in_adapters(&workspace));
    none(&packages::files_are_short(&workspace));
    Ok(())
}

#[test]
fn the_event_catalogue_is_what_the_types_say() -> Result<()> {
    for (path, wanted) in catalogue::files(&Template::of_repository()?)? {
        let found = std::fs::read_to_string(architecture::workspace::root().join(&path)).unwrap_or_default();
        assert!(found == wanted, "{} is not up to date: run `cargo xtask catalogue`", path.display());
    }
    Ok(())
}
