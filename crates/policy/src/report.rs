//! The policy for people: who may do what where, and what the two Ably keys need for it.

use std::collections::BTreeSet;

use ably::{Capability, ChannelPattern, Operation, Operations};

use crate::{JOB_CHANNELS, NOTIFICATION_CHANNELS, OPERATIONS_CHANNEL, Policy, Role};

/// What the service itself publishes with `ABLY_PUBLISH_KEY`: the events of every job, what each user is told, and what operators hear.
const PUBLISHED: &[&str] = &[JOB_CHANNELS, NOTIFICATION_CHANNELS, OPERATIONS_CHANNEL];

/// The matrix of roles, channels and operations: a row for each channel, a column for each role that can get a token.
/// A `!` marks an operation that the author marked as intended.
pub fn matrix(policy: &Policy) -> String {
    let mut header = vec!["channel".to_owned()];
    header.extend(Role::ALL.iter().map(|role| role.as_str().to_owned()));
    let mut rows = vec![header];
    let channels: BTreeSet<_> = policy.grants().iter().map(|grant| grant.pattern.to_string()).collect();
    for channel in channels {
        let mut row = vec![channel.clone()];
        row.extend(Role::ALL.iter().map(|role| cell(policy, *role, &channel)));
        rows.push(row);
    }
    table(&rows)
}

fn cell(policy: &Policy, role: Role, channel: &str) -> String {
    let grants = policy.grants_of(role).filter(|grant| grant.pattern.to_string() == channel);
    let names: Vec<_> = grants
        .flat_map(|grant| {
            grant.operations.iter().map(|operation| {
                let mark = if grant.intended.contains(operation) { "!" } else { "" };
                format!("{}{mark}", operation.as_str())
            })
        })
        .collect();
    if names.is_empty() { "-".to_owned() } else { names.join(" ") }
}

/// Lines up the columns.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max();
    let widths: Vec<_> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    rows.iter()
        .map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        })
        .collect()
}

/// Everything that `policy-check` prints about a policy that is in order.
pub fn whole(policy: &Policy) -> String {
    let (signing, publishing) = (signing_key(policy), publish_key());
    let both = Capability::from_grants(
        [&signing, &publishing]
            .into_iter()
            .flatten()
            .flat_map(Capability::grants)
            .map(|(pattern, operations)| (pattern.clone(), operations.clone())),
    );
    let text =
        |capability: &Option<Capability>| capability.as_ref().map(ToString::to_string).unwrap_or_default();
    format!(
        "{}\nservice gets no token. `!` was marked as intended.\n\nThe least capability of each Ably key:\n\n\
         ABLY_API_KEY, signing tokens, with ABLY_PUBLISH_KEY set:\n  {}\n\
         ABLY_PUBLISH_KEY, publishing:\n  {}\n\
         ABLY_API_KEY alone, doing both:\n  {}\n",
        matrix(policy),
        text(&signing),
        text(&publishing),
        text(&both)
    )
}

/// The least capability with which a key can sign every token that the policy allows: the union of all grants, each placeholder
/// as a wildcard. A token's rights are those that its key has too (Ably docs, "Capabilities").
pub fn signing_key(policy: &Policy) -> Option<Capability> {
    Capability::from_grants(policy.grants().iter().filter_map(|grant| {
        Operations::new(grant.operations.iter().copied())
            .map(|operations| (grant.pattern.widest().clone(), operations))
    }))
}

/// The least capability with which a key can publish what the service publishes.
pub fn publish_key() -> Option<Capability> {
    Capability::from_grants(PUBLISHED.iter().filter_map(|channel| {
        Some((ChannelPattern::parse(*channel).ok()?, Operations::new([Operation::Publish])?))
    }))
}
