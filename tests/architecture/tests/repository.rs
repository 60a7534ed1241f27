//! Runs all checks on the repository: it has no violations.

use ::contracts::PORTS;
use anyhow::Result;
use architecture::template::Template;
use architecture::workspace::{Workspace, root, samples, selected_features};
use architecture::{
    Violations, catalogue, contracts, documents, events, functions, idempotency, metrics, modules, packages,
    permissions, personal_data, queues, requests, services, usage, words,
};

#[track_caller]
fn assert_none(violations: &Violations) {
    assert!(violations.is_empty(), "\n- {}\n", violations.join("\n- "));
}

#[test]
fn functions_and_binaries_match() -> Result<()> {
    let workspace = Workspace::of_repository()?;
    assert_none(&functions::match_binaries(&Template::of_repository()?, &workspace));
    assert_none(&functions::have_unique_binary_names(&workspace));
    Ok(())
}

#[test]
fn each_function_has_a_sample_event() -> Result<()> {
    assert_none(&functions::have_sample_events(&Template::of_repository()?, &samples()?));
    Ok(())
}

#[test]
fn each_function_has_a_log_group() -> Result<()> {
    assert_none(&functions::have_log_groups(&Template::of_repository()?));
    Ok(())
}

#[test]
fn each_queue_has_a_monitored_dead_letter_queue() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&queues::have_dead_letter_queues(&template));
    assert_none(&queues::belong_to_one_function(&template));
    assert_none(&queues::dead_letters_raise_alarms(&template));
    assert_none(&queues::are_monitored(&template));
    Ok(())
}

#[test]
fn each_alarm_can_fire_and_is_counted() -> Result<()> {
    let (template, workspace) = (Template::of_repository()?, Workspace::of_repository()?);
    assert_none(&metrics::alarms_have_metrics(&template, &workspace));
    assert_none(&metrics::lines_are_declared(&workspace));
    assert_none(&metrics::functions_have_a_namespace(&template));
    let costs = std::fs::read_to_string(root().join("docs/DEPLOY.md"))?;
    assert_none(&metrics::costs_are_counted(&template, &costs));
    Ok(())
}

#[test]
fn each_visibility_timeout_is_long_enough() -> Result<()> {
    assert_none(&queues::visibility_timeouts_are_long_enough(&Template::of_repository()?));
    Ok(())
}

#[test]
fn each_claim_outlives_redeliveries() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&idempotency::claims_outlive_messages(&template));
    assert_none(&idempotency::leases_outlast_timeouts(&template));
    Ok(())
}

#[test]
fn each_batch_reports_item_failures() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&queues::report_batch_item_failures(&template));
    assert_none(&queues::streams_are_not_blocked(&template));
    Ok(())
}

#[test]
fn each_rule_and_schedule_has_a_dead_letter_queue() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&queues::rules_deliver_to_queues(&template));
    assert_none(&queues::schedules_have_dead_letter_queues(&template));
    Ok(())
}

#[test]
fn each_function_has_least_privilege() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&permissions::roles_are_not_shared(&template));
    assert_none(&permissions::are_not_widened_by_triggers(&template));
    assert_none(&permissions::are_least_privilege(&template));
    assert_none(&permissions::write_only_own_logs(&template));
    assert_none(&permissions::publish_only_declared_events(&template));
    assert_none(&permissions::send_from_one_address(&template));
    assert_none(&permissions::exceptions_are_needed(&template));
    assert_none(&permissions::can_list_the_buckets_they_read(&template));
    Ok(())
}

#[test]
fn each_permission_is_used_by_an_adapter() -> Result<()> {
    let (template, workspace) = (Template::of_repository()?, Workspace::of_repository()?);
    assert_none(&usage::operations_are_mapped(&workspace));
    assert_none(&usage::no_permission_is_unused(&template, &workspace));
    assert_none(&usage::no_permission_is_missing(&template, &workspace));
    Ok(())
}

#[test]
fn the_list_of_personal_data_has_each_store() -> Result<()> {
    let places = personal_data::documented()?;
    assert_none(&personal_data::every_store_is_listed(&Template::of_repository()?, &places));
    Ok(())
}

#[test]
fn each_event_has_subscribers_and_matching_samples() -> Result<()> {
    let template = Template::of_repository()?;
    assert_none(&events::have_subscribers(&template, &events::event_types()));
    assert_none(&events::samples_match_subscriptions(&template, &samples()?));
    assert_none(&events::rules_are_named_after_functions(&template));
    Ok(())
}

#[test]
fn the_layers_are_separate() -> Result<()> {
    let workspace = Workspace::of_repository()?;
    assert_none(&packages::domain_is_pure(&workspace));
    assert_none(&packages::services_are_independent(&workspace));
    assert_none(&packages::test_support_is_not_deployed(&workspace));
    assert_none(&packages::emulator_is_not_mentioned(&workspace));
    assert_none(&packages::sdk_stays_in_adapters(&workspace));
    assert_none(&packages::files_are_short(&workspace));
    Ok(())
}

#[test]
fn tests_and_builds_select_the_same_features() -> Result<()> {
    let (built, tested) = (selected_features(root(), false)?, selected_features(root(), true)?);
    assert!(built.len() > 100, "{built:?}");
    assert_none(&packages::tests_select_no_other_features(&built, &tested));
    Ok(())
}

#[test]
fn services_have_the_same_files() -> Result<()> {
    assert_none(&services::have_the_same_files(&Workspace::of_repository()?));
    Ok(())
}

#[test]
fn modules_import_no_circles_and_no_higher_floors() -> Result<()> {
    let workspace = Workspace::of_repository()?;
    assert_none(&modules::import_no_circles(&workspace));
    assert_none(&modules::import_lower_floors(&workspace));
    Ok(())
}

#[test]
fn each_conditional_request_has_a_contract() -> Result<()> {
    let adapters: Vec<&str> = PORTS.iter().flat_map(|port| port.adapters).copied().collect();
    assert_none(&contracts::cover_conditional_requests(&Workspace::of_repository()?, &adapters));
    let suites: Vec<&str> = PORTS.iter().map(|port| port.suite).collect();
    assert_none(&contracts::are_listed(&words::texts(root())?, &suites));
    Ok(())
}

#[test]
fn the_event_catalogue_is_up_to_date() -> Result<()> {
    for (path, expected) in catalogue::files(&Template::of_repository()?)? {
        let found = std::fs::read_to_string(architecture::workspace::root().join(&path)).unwrap_or_default();
        assert!(found == expected, "{} is out of date: run `cargo xtask catalogue`", path.display());
    }
    Ok(())
}

#[test]
fn requests_meet_the_current_rules_for_text() -> Result<()> {
    assert_none(&requests::texts_of_requests_meet_the_current_rules(&words::texts(root())?));
    Ok(())
}

#[test]
fn texts_use_the_terms_of_the_field() -> Result<()> {
    let texts = words::texts(root())?;
    assert_none(&words::phrases_are_of_the_field(&texts));
    assert_none(&words::doc_comments_say_something(&texts));
    Ok(())
}

#[test]
fn pictures_are_rendered_from_their_sources() -> Result<()> {
    assert_none(&documents::pictures_are_current(root())?);
    Ok(())
}

#[test]
fn links_and_paths_in_documents_exist() -> Result<()> {
    assert_none(&documents::links_and_paths_exist(root(), &words::texts(root())?));
    Ok(())
}
