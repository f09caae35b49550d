//! The policy as Rust source.

use std::fmt::Write;

use crate::{FILE, Grant, Policy, Role, Segment};

/// One Rust expression, a `Policy` of the root package's `tokens::policy`, which includes it and has `Policy`, `Grant`,
/// `Segment` and `Operation` in scope.
pub fn rust(policy: &Policy) -> String {
    let mut source = format!("// Generated from {FILE}.\nPolicy {{\n");
    for role in Role::ALL {
        let grants: String = policy.grants_of(*role).map(grant).collect();
        // Writing to a String does not fail.
        let _ = writeln!(source, "    {}: &[\n{grants}    ],", role.as_str());
    }
    source.push_str("}\n");
    source
}

fn grant(grant: &Grant) -> String {
    let segments: Vec<_> = grant.pattern.segments().iter().map(segment).collect();
    // An operation's `Debug` is its variant's name.
    let operations: Vec<_> = grant.operations.iter().map(|o| format!("Operation::{o:?}")).collect();
    format!(
        "        Grant {{ channel: &[{}], operations: &[{}], line: {} }},\n",
        segments.join(", "),
        operations.join(", "),
        grant.line
    )
}

fn segment(segment: &Segment) -> String {
    match segment {
        Segment::Literal(text) => format!("Segment::Literal({text:?})"),
        Segment::Wildcard => "Segment::Wildcard".to_owned(),
        Segment::UserId => "Segment::UserId".to_owned(),
        Segment::JobId => "Segment::JobId".to_owned(),
    }
}
