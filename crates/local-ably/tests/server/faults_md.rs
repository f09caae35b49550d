//! The examples of FAULTS.md, each against a server of its own.

use serde_json::Value;

use crate::harness::{Format, Server, answer};

const FAULTS_MD: &str = include_str!("../../FAULTS.md");

/// The commands of all examples.
fn commands() -> impl Iterator<Item = &'static str> {
    let blocks = FAULTS_MD.split("```").skip(1).step_by(2);
    blocks.flat_map(|block| block.strip_prefix("sh\n").unwrap_or_default().lines())
}

#[tokio::test]
async fn every_fault_of_the_examples_is_taken_and_told_as_it_was_given() {
    let mut kinds = std::collections::BTreeSet::new();
    for command in commands().filter(|command| command.contains("--json")) {
        let (start, body) = command.strip_suffix('\'').unwrap().split_once(" --json '").unwrap();
        assert_eq!(start, r#"curl -s "$CONTROL/faults" -H "$AUTH""#);
        let given: Value = serde_json::from_str(body).unwrap();
        let server = Server::start().await;
        let request = server.control(reqwest::Method::POST, "/control/faults");
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let (status, fault) = answer(request).await;
        assert_eq!(status, 201, "{body}: {fault}");
        for (field, value) in given.as_object().unwrap() {
            assert_eq!(fault[field], *value, "{body}");
        }
        kinds.insert(given["kind"].as_str().unwrap().to_owned());
    }
    let all = [
        "drop-connections",
        "error",
        "expire-tokens",
        "hang",
        "refuse-connections",
        "refuse-key",
        "reset",
        "slow",
        "truncate",
    ];
    assert!(kinds.iter().eq(all), "{kinds:?}");
}

#[tokio::test]
async fn the_requests_of_the_other_examples_are_served() {
    let server = Server::start().await;
    server.connect(Format::Json).await;
    let mut seen = 0;
    for command in commands().filter(|command| command.starts_with("curl") && !command.contains("--json")) {
        let (options, rest) = command.split_once("\"$CONTROL/").unwrap();
        let path = format!("/control/{}", rest.split_once('"').unwrap().0);
        let method =
            if options.contains("-X DELETE") { reqwest::Method::DELETE } else { reqwest::Method::GET };
        let (status, body) = answer(server.control(method, &path)).await;
        assert!(status.is_success(), "{command}: {body}");
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn the_table_of_limits_has_the_code_of_each() {
    let codes = [
        "42913", "42914", "42917", "42911", "42921", "42924", "80020", "42918", "40115", "42910", "40111",
        "80021", "90021", "40009",
    ];
    for code in codes {
        assert!(FAULTS_MD.contains(&format!("| {code}, ")), "{code}");
    }
}
