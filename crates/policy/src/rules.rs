//! What a policy must not grant, whoever asks for it.

use std::fmt;

use ably::{ChannelPattern, Operation};

use crate::{Grant, JOB_CHANNEL, JOB_CHANNELS, Pattern, PolicyError, Role, Segment};

/// Operations that reach beyond a role's own work, and so are refused unless they are marked as intended.
const NEED_A_MARK: &[Operation] = &[Operation::PushAdmin, Operation::Stats, Operation::PrivilegedHeaders];

/// Channels that a grant is held against.
struct Neighbour<'a> {
    pattern: &'a Pattern,
    /// The line of the policy that grants them. The service's own channel is there whether or not a line names it.
    line: Option<usize>,
}

impl fmt::Display for Neighbour<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "`{}` (line {line})", self.pattern),
            None => write!(f, "`{}`, where positions are published", self.pattern),
        }
    }
}

/// Every rule that the grants break.
pub(crate) fn check(grants: &[Grant]) -> Vec<PolicyError> {
    let mut errors = Vec::new();
    let positions = Pattern::parse(JOB_CHANNEL).ok();
    let mut neighbours: Vec<_> =
        grants.iter().map(|grant| Neighbour { pattern: &grant.pattern, line: Some(grant.line) }).collect();
    neighbours.extend(positions.iter().map(|pattern| Neighbour { pattern, line: None }));
    for grant in grants {
        let mut refuse = |message: String| errors.push(PolicyError { line: grant.line, message });
        operations(grant, &mut refuse);
        wildcards(grant, &neighbours, &mut refuse);
        placeholders(grant, &neighbours, &mut refuse);
        presence(grant, grants, &mut refuse);
    }
    errors
}

/// Positions are published by the service alone, so that every one has its sequence number.
fn operations(grant: &Grant, refuse: &mut impl FnMut(String)) {
    let Grant { role, pattern, operations, intended, .. } = grant;
    let role = role.as_str();
    let on_jobs =
        ChannelPattern::parse(JOB_CHANNELS).is_ok_and(|jobs| jobs.intersect(pattern.widest()).is_some());
    for operation in operations {
        let name = operation.as_str();
        let history_of_jobs = on_jobs && *operation == Operation::History;
        let marked = intended.contains(operation);
        if on_jobs && !matches!(operation, Operation::Subscribe | Operation::History) {
            refuse(format!(
                "{role}: `{name}` on `{pattern}`, which reaches `{JOB_CHANNELS}`: only `subscribe` (and `history`, marked as intended) may be granted there, since positions go through the service"
            ));
        } else if (NEED_A_MARK.contains(operation) || history_of_jobs) && !marked {
            refuse(format!(
                "{role}: `{name}` on `{pattern}` reaches far; if it is intended, write {{ operations = […], intended = [\"{name}\"] }}"
            ));
        } else if marked && !NEED_A_MARK.contains(operation) && !history_of_jobs {
            refuse(format!("{role}: `{name}` on `{pattern}` needs no mark: remove it from `intended`"));
        }
    }
}

fn wildcards(grant: &Grant, neighbours: &[Neighbour<'_>], refuse: &mut impl FnMut(String)) {
    let Grant { role, pattern, .. } = grant;
    if pattern.has_wildcard() && matches!(role, Role::Driver | Role::Customer) {
        let role = role.as_str();
        refuse(format!(
            "{role}: `{pattern}` has a wildcard: a {role}'s channels are named one by one, with {{userId}} and {{jobId}}"
        ));
        return;
    }
    // A token is narrowed to one job by putting the job in place of the wildcard. That is possible only where the wildcard
    // stands for exactly the job.
    let reached: Vec<_> =
        neighbours.iter().filter(|other| pattern.reaches_any_job_of(other.pattern)).collect();
    let exact = reached.iter().any(|other| pattern.segments() == other.pattern.for_all_jobs());
    if let Some(other) = reached.first()
        && !exact
    {
        let (role, wanted) = (role.as_str(), other.pattern.to_string().replace("{jobId}", "*"));
        refuse(format!(
            "{role}: `{pattern}` meets the job channels {other} and could not be narrowed to one job: write `{wanted}`"
        ));
    }
}

/// A user or a job may be called anything that is an id, such as `ops`. So no id may turn a pattern into a channel that
/// another line of the policy is about.
fn placeholders(grant: &Grant, neighbours: &[Neighbour<'_>], refuse: &mut impl FnMut(String)) {
    let Grant { role, pattern, .. } = grant;
    let role = role.as_str();
    for other in neighbours {
        if let Some(segment) = pattern.imitates(other.pattern) {
            let imitated = match segment {
                Segment::Literal(text) => format!("an id spelled `{text}`"),
                segment => format!("an id spelled like somebody's {segment}"),
            };
            refuse(format!(
                "{role}: `{pattern}` with {imitated} would reach {other}: give the two different literal segments"
            ));
        }
        if other.line.is_none() && other.pattern.imitates(pattern).is_some() {
            refuse(format!("{role}: `{pattern}` names one of {other}: write {{jobId}}, or `*`"));
        }
    }
}

/// `subscribe` on a channel also reveals its presence set (Ably docs, "Capabilities").
fn presence(grant: &Grant, grants: &[Grant], refuse: &mut impl FnMut(String)) {
    if grant.role != Role::Customer {
        return;
    }
    let present = |other: &&Grant| {
        other.operations.contains(&Operation::Presence) && other.pattern.meets(&grant.pattern)
    };
    if let Some(other) = grants.iter().find(present) {
        refuse(format!(
            "customer: `{}` meets `{}` (line {}), on which {} has `presence`: a customer would see or be seen there",
            grant.pattern,
            other.pattern,
            other.line,
            other.role.as_str()
        ));
    }
}
