//! The documentation says which functions the simulation runs, and names every function of the template.

use architecture::workspace::root;
use simulation::services::{NOT_RUN, SERVICES, function, optional};
use simulation::wiring::Wiring;

#[test]
fn the_documentation_names_every_function() {
    let wiring = Wiring::from_repository().unwrap();
    let row = |name: &String| {
        let run = match function(name) {
            Some(found) if optional().any(|optional| optional == found.service.name()) => {
                format!("in the seeds with {}", found.service.name())
            }
            Some(_) => "in every seed".to_owned(),
            None => {
                let reason = NOT_RUN.iter().find(|(not_run, _)| not_run == name).map(|(_, reason)| reason);
                format!("no: {}", reason.unwrap_or_else(|| panic!("the simulation does not know {name}")))
            }
        };
        format!("| `{name}` | {run} |\n")
    };
    let rows: String = wiring.functions.keys().map(row).collect();
    let documented = std::fs::read_to_string(root().join("docs/CORRECTNESS.md")).unwrap();
    assert!(documented.contains(&rows), "docs/CORRECTNESS.md does not have these rows:\n{rows}");
}

#[test]
fn the_simulation_lists_each_function_of_the_template_once() {
    let wiring = Wiring::from_repository().unwrap();
    let run = SERVICES.iter().flat_map(|service| service.functions().iter().map(|(name, _)| *name));
    let mut listed: Vec<&str> = run.chain(NOT_RUN.iter().map(|(name, _)| *name)).collect();
    listed.sort_unstable();
    assert_eq!(listed, wiring.functions.keys().collect::<Vec<_>>());
}
