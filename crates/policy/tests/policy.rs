//! Every rule of the policy, broken; and the repository's own policy, in order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, missing_docs)]

use std::process::{Command, Output};

use policy::{Policy, generate, report};
use proptest::prelude::*;

const OWN: &str = include_str!("../../../policy.toml");

/// Each text with the line and a part of the message of every error that it must have, and no others.
#[test]
fn what_would_grant_too_much_is_refused_with_its_line() {
    for (text, expected) in [
        // The file itself.
        ("", &[(1, "grants nothing")][..]),
        ("[driver]\n", &[(1, "grants nothing")]),
        ("[driver]\n\"a\" = [\"subscribe\"\n", &[(2, "")]),
        ("[driver]\n\"a\" = [\"subscribe\"]\n\"a\" = [\"history\"]\n", &[(3, "duplicate key")]),
        ("driver = 7\n", &[(1, "is a table of channels")]),
        ("[driver]\n\"a\" = \"subscribe\"\n", &[(2, "a channel's value is a list")]),
        ("[driver]\n\"a\" = { intended = [\"stats\"] }\n", &[(2, "a channel's value is a list")]),
        (
            "[driver]\n\"a\" = { operations = [\"subscribe\"], why = 1 }\n",
            &[(2, "a channel's value is a list")],
        ),
        ("[driver.more]\n\"a\" = [\"subscribe\"]\n", &[(2, "a channel's value is a list")]),
        // Roles.
        ("\n[driwer]\n\"a\" = [\"subscribe\"]\n", &[(2, "no role `driwer`")]),
        ("[Driver]\n\"a\" = [\"subscribe\"]\n", &[(1, "no role `Driver`")]),
        ("[service]\n\"a\" = [\"subscribe\"]\n", &[(1, "gets no token")]),
        // Operations.
        ("[admin]\n\"a\" = []\n", &[(2, "list of operations is empty")]),
        ("[admin]\n\"a\" = [7]\n", &[(2, "an operation is a text")]),
        ("[admin]\n\"a\" = [\"*\"]\n", &[(2, "grants all that Ably has")]),
        ("[admin]\n\"a\" = [\"subscribe\", \"*\"]\n", &[(2, "grants all that Ably has")]),
        ("[admin]\n\"a\" = [\n \"subscribe\",\n \"fly\",\n]\n", &[(4, "no operation `fly`")]),
        ("[admin]\n\"a\" = [\"Subscribe\"]\n", &[(2, "no operation `Subscribe`")]),
        ("[admin]\n\"a\" = [\"subscribe\", \"subscribe\"]\n", &[(2, "stands twice")]),
        ("[admin]\n\"a\" = [\"push-admin\"]\n", &[(2, "`push-admin` on `a` reaches far")]),
        ("[admin]\n\"a\" = [\"stats\"]\n", &[(2, "`stats` on `a` reaches far")]),
        ("[admin]\n\"a\" = [\"privileged-headers\"]\n", &[(2, "`privileged-headers` on `a` reaches far")]),
        (
            "[admin]\n\"a\" = { operations = [\"subscribe\"], intended = [\"stats\"] }\n",
            &[(2, "`stats` is marked as intended but is none")],
        ),
        (
            "[admin]\n\"a\" = { operations = [\"history\"], intended = [\"history\"] }\n",
            &[(2, "`history` on `a` needs no mark")],
        ),
        // Patterns.
        ("[admin]\n\"*\" = [\"subscribe\"]\n", &[(2, "bare `*`")]),
        ("[admin]\n\"*:*\" = [\"subscribe\"]\n", &[(2, "bare `*`")]),
        ("[admin]\n\"*:ops\" = [\"subscribe\"]\n", &[(2, "bare `*`")]),
        ("[admin]\n\"{userId}:ops\" = [\"subscribe\"]\n", &[(2, "bare `*` or a placeholder")]),
        ("[admin]\n\"[*]*\" = [\"subscribe\"]\n", &[(2, "in brackets")]),
        ("[admin]\n\"[meta]log\" = [\"subscribe\"]\n", &[(2, "in brackets")]),
        ("[admin]\n\"[?rewind=1]a\" = [\"subscribe\"]\n", &[(2, "in brackets")]),
        ("[admin]\n\"a:[b]\" = [\"subscribe\"]\n", &[(2, "in brackets")]),
        ("[admin]\n\"\" = [\"subscribe\"]\n", &[(2, "segment is empty")]),
        ("[admin]\n\"a:\" = [\"subscribe\"]\n", &[(2, "segment is empty")]),
        ("[admin]\n\"a::b\" = [\"subscribe\"]\n", &[(2, "segment is empty")]),
        ("[admin]\n\"a:b*\" = [\"subscribe\"]\n", &[(2, "`b*` as a literal")]),
        ("[admin]\n\"a:**\" = [\"subscribe\"]\n", &[(2, "`**` as a literal")]),
        ("[admin]\n\"a:{orgId}\" = [\"subscribe\"]\n", &[(2, "no placeholder `{orgId}`")]),
        ("[admin]\n\"a:{userid}\" = [\"subscribe\"]\n", &[(2, "no placeholder `{userid}`")]),
        ("[admin]\n\"a:{}\" = [\"subscribe\"]\n", &[(2, "no placeholder `{}`")]),
        ("[admin]\n\"a:job-{jobId}\" = [\"subscribe\"]\n", &[(2, "a placeholder is a whole segment")]),
        ("[admin]\n\"a:{jobId\" = [\"subscribe\"]\n", &[(2, "a placeholder is a whole segment")]),
        ("[admin]\n\"a:{jobId}{userId}\" = [\"subscribe\"]\n", &[(2, "a placeholder is a whole segment")]),
        ("[admin]\n\"a:{jobId}:{jobId}\" = [\"subscribe\"]\n", &[(2, "`{jobId}` stands twice")]),
        ("[admin]\n\"a b\" = [\"subscribe\"]\n", &[(2, "may not have")]),
        ("[admin]\n\"a:b,c\" = [\"subscribe\"]\n", &[(2, "may not have")]),
        ("[admin]\n\"a:\\u0000\" = [\"subscribe\"]\n", &[(2, "`\\0`")]),
        ("[admin]\n\"a:ü\" = [\"subscribe\"]\n", &[(2, "may not have")]),
        // Wildcards.
        ("[driver]\n\"a:*\" = [\"subscribe\"]\n", &[(2, "driver: `a:*` has a wildcard")]),
        ("[customer]\n\"a:*:b\" = [\"subscribe\"]\n", &[(2, "customer: `a:*:b` has a wildcard")]),
        // Job channels.
        ("[admin]\n\"dispatch:job:*\" = [\"publish\"]\n", &[(2, "positions go through the service")]),
        ("[driver]\n\"dispatch:job:{jobId}\" = [\"publish\"]\n", &[(2, "positions go through the service")]),
        (
            "[driver]\n\"dispatch:job:7\" = [\"presence\"]\n",
            &[(2, "positions go through the service"), (2, "names one of")],
        ),
        (
            "[admin]\n\"dispatch:*\" = [\"publish\"]\n",
            &[(2, "positions go through the service"), (2, "write `dispatch:job:*`")],
        ),
        (
            "[admin]\n\"dispatch:*:7\" = [\"presence\"]\n",
            &[(2, "positions go through the service"), (2, "names one of")],
        ),
        (
            "[driver]\n\"dispatch:job:{jobId}:x\" = [\"publish\"]\n",
            &[(2, "positions go through the service")],
        ),
        (
            "[driver]\n\"dispatch:{userId}:{jobId}\" = [\"presence\"]\n",
            &[(2, "positions go through the service"), (2, "an id spelled `job` would reach")],
        ),
        (
            "[driver]\n\"dispatch:job:{jobId}\" = [\"history\"]\n",
            &[(2, "`history` on `dispatch:job:{jobId}` reaches far")],
        ),
        (
            "[driver]\n\"dispatch:job:{jobId}\" = { operations = [\"publish\"], intended = [\"publish\"] }\n",
            &[(2, "positions go through the service")],
        ),
        ("[driver]\n\"dispatch:job:7\" = [\"subscribe\"]\n", &[(2, "names one of `dispatch:job:{jobId}`")]),
        (
            "[driver]\n\"dispatch:job:{userId}\" = [\"subscribe\"]\n",
            &[(2, "somebody's {jobId} would reach"), (2, "names one of")],
        ),
        // Narrowing to one job.
        ("[admin]\n\"dispatch:*\" = [\"subscribe\"]\n", &[(2, "write `dispatch:job:*`")]),
        (
            "[admin]\n\"a:*:{jobId}\" = [\"subscribe\"]\n\"a:{jobId}:*\" = [\"subscribe\"]\n",
            &[(2, "could not be narrowed"), (3, "could not be narrowed")],
        ),
        (
            "[driver]\n\"dispatch:job:{jobId}\" = [\"subscribe\"]\n[admin]\n\"dispatch:*\" = [\"subscribe\"]\n",
            &[(4, "write `dispatch:job:*`")],
        ),
        (
            "[driver]\n\"a:{jobId}:b\" = [\"subscribe\"]\n[admin]\n\"a:*\" = [\"subscribe\"]\n",
            &[(4, "write `a:*:b`")],
        ),
        (
            "[driver]\n\"a:{jobId}:{userId}\" = [\"subscribe\"]\n[admin]\n\"a:*:*\" = [\"subscribe\"]\n",
            &[(4, "write `a:*:{userId}`")],
        ),
        // Ids that imitate.
        (
            "[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n[admin]\n\"a:ops\" = [\"subscribe\"]\n",
            &[(2, "an id spelled `ops` would reach `a:ops` (line 4)")],
        ),
        (
            "[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n\"a:{userId}\" = [\"subscribe\"]\n",
            &[(2, "somebody's {userId}"), (3, "somebody's {jobId}")],
        ),
        // Presence and customers.
        ("[customer]\n\"a\" = [\"presence\"]\n", &[(2, "customer would see or be seen")]),
        (
            "[customer]\n\"presence:dispatch\" = [\"subscribe\"]\n[driver]\n\"presence:dispatch\" = [\"presence\"]\n",
            &[(2, "`presence:dispatch` (line 4), on which driver has `presence`")],
        ),
        (
            "[customer]\n\"duty:{userId}\" = [\"subscribe\"]\n[admin]\n\"duty:*\" = [\"presence\"]\n",
            &[(2, "(line 4), on which admin has `presence`")],
        ),
        // All errors at once, by line.
        (
            "[driver]\n\"a*\" = [\"subscribe\"]\n\"b\" = [\"fly\", \"*\"]\n[service]\n\"c\" = [\"subscribe\"]\n",
            &[(2, "literal"), (3, "no operation"), (3, "grants all"), (4, "gets no token")],
        ),
    ] {
        let errors = Policy::parse(text).expect_err(text);
        let unexpected: Vec<_> = errors
            .iter()
            .filter(|e| !expected.iter().any(|(line, part)| e.line == *line && e.message.contains(part)))
            .collect();
        assert!(errors.len() == expected.len() && unexpected.is_empty(), "{text}\n{errors:#?}");
    }
}

#[test]
fn what_is_in_order_passes() {
    for text in [
        OWN,
        "[driver]\n\"dispatch:job:{jobId}\" = { operations = [\"history\", \"subscribe\"], intended = [\"history\"] }\n",
        "[admin]\n\"ops\" = { operations = [\"stats\", \"push-admin\", \"privileged-headers\"], intended = [\"push-admin\", \"stats\", \"privileged-headers\"] }\n",
        "driver = { \"a:{userId}\" = [\"publish\"] }\n",
        "[customer]\n\"a:{jobId}\" = [\"subscribe\"]\n[driver]\n\"a:{jobId}:crew\" = [\"presence\"]\n",
        "[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n\"a:{jobId}:b\" = [\"subscribe\"]\n[admin]\n\"a:*\" = [\"subscribe\"]\n",
        "[driver]\n\"a:{userId}\" = [\"subscribe\"]\n[admin]\n\"a:*\" = [\"subscribe\"]\n",
        "[admin]\n\"a:{jobId}:*\" = [\"subscribe\"]\n",
    ] {
        assert!(Policy::parse(text).is_ok(), "{text}\n{:#?}", Policy::parse(text));
    }
}

#[test]
fn an_error_reads_like_a_compilers() {
    let errors = Policy::parse("\n[service]\n").unwrap_err();
    assert!(errors[0].to_string().starts_with("policy.toml:2: `service`"), "{}", errors[0]);
}

#[test]
fn a_policy_becomes_rust() {
    let policy = Policy::parse("[driver]\n\"a:{jobId}:{userId}\" = [\"subscribe\", \"history\"]\n[admin]\n\"a:*:{userId}\" = [\"push-subscribe\"]\n").unwrap();
    assert_eq!(
        generate::rust(&policy),
        r#"// Generated from policy.toml.
Policy {
    driver: &[
        Grant { channel: &[Segment::Literal("a"), Segment::JobId, Segment::UserId], operations: &[Operation::History, Operation::Subscribe], line: 2 },
    ],
    dispatcher: &[
    ],
    customer: &[
    ],
    admin: &[
        Grant { channel: &[Segment::Literal("a"), Segment::Wildcard, Segment::UserId], operations: &[Operation::PushSubscribe], line: 4 },
    ],
}
"#
    );
}

#[test]
fn each_key_needs_the_union_of_what_it_serves() {
    let policy = Policy::parse(
        "[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n\"n:{userId}:x\" = [\"subscribe\"]\n[admin]\n\"a:*\" = [\"annotation-subscribe\"]\n",
    )
    .unwrap();
    assert_eq!(
        report::signing_key(&policy).unwrap().to_string(),
        r#"{"a:*":["annotation-subscribe","subscribe"],"n:*:x":["subscribe"]}"#
    );
    assert_eq!(
        report::publish_key().unwrap().to_string(),
        r#"{"admin:ops":["publish"],"dispatch:job:*":["publish"],"notifications:user:*":["publish"]}"#
    );
}

/// Runs `policy-check` in a directory that holds the given policy.
fn policy_check(name: &str, text: Option<&str>) -> Output {
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory).unwrap();
    if let Some(text) = text {
        std::fs::write(directory.join("policy.toml"), text).unwrap();
    }
    Command::new(env!("CARGO_BIN_EXE_policy-check")).current_dir(directory).output().unwrap()
}

#[test]
fn policy_check_prints_the_matrix_and_the_keys() {
    let output = policy_check("good", Some(OWN));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    let row = |channel: &str| {
        let line = printed.lines().find(|line| line.starts_with(channel)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect::<Vec<_>>()
    };
    assert_eq!(row("channel "), ["channel", "driver", "dispatcher", "customer", "admin"]);
    assert_eq!(row("dispatch:job:{jobId}"), ["dispatch:job:{jobId}", "subscribe", "-", "subscribe", "-"]);
    assert_eq!(
        row("presence:dispatch "),
        ["presence:dispatch", "presence", "presence subscribe", "-", "presence subscribe"]
    );
    assert!(printed.contains(r#""dispatch:job:*":["publish","subscribe"]"#), "{printed}");
}

#[test]
fn policy_check_fails_with_every_error() {
    let output = policy_check("bad", Some("[driver]\n\"a*\" = [\"fly\"]\n[service]\n"));
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("policy.toml:2: ") && printed.contains("policy.toml:3: "), "{printed}");
    assert!(output.stdout.is_empty());

    let output = policy_check("missing", None);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("policy.toml: "));
}

proptest! {
    #[test]
    fn no_text_makes_the_check_panic(text in ".*") {
        let _ = Policy::parse(&text);
    }

    /// Damage anywhere in the real file is either harmless or an error; never a panic.
    #[test]
    fn no_damage_makes_the_check_panic(at in 0..OWN.len(), with in "[\\PC\\n]{0,3}") {
        let mut text = OWN.to_owned();
        if text.is_char_boundary(at) {
            text.insert_str(at, &with);
        }
        let _ = Policy::parse(&text);
    }
}
