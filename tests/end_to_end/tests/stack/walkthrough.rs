//! The commands in docs/WALKTHROUGH.md.

use std::path::PathBuf;
use std::process::Command;

use end_to_end::Requirement;

use crate::shared_with;

/// Returns the commands in the section `heading`: its first shell block.
fn commands(heading: &str) -> String {
    let root = PathBuf::from(std::env::var("E2E_REPO_ROOT").unwrap());
    let document = std::fs::read_to_string(root.join("docs/WALKTHROUGH.md")).unwrap();
    let section = document.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let block = section.split("```sh\n").nth(1).unwrap();
    block.split("```").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_walkthrough_commands_sign_up_and_place_an_order() {
    let Some((stack, _guard)) = shared_with(&[Requirement::PublicSignUp]).await else { return };
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands("The API with curl")])
        .env("API_URL", stack.output("ApiUrl").unwrap())
        .env("SIGN_IN_URL", stack.output("SignInUrl").unwrap())
        .env("CLIENT_ID", stack.output("ShopClientId").unwrap())
        .output()
        .unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let orders: serde_json::Value = serde_json::from_str(stdout.lines().last().unwrap_or_default()).unwrap();
    assert_eq!(orders["orders"].as_array().map(Vec::len), Some(1), "{stdout}");
    stack.wait_for_status(orders["orders"][0]["id"].as_str().unwrap(), "paid").await;
}
