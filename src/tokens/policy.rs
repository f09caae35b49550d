//! What a session may do: the compiled policy, and the capability that it grants.

#[cfg(test)]
pub(super) mod tests;

use ably::{Capability, ChannelPattern, ErrorInfo, Operation, Operations};
use thiserror::Error;

use crate::ids::{JobId, UserId};
use crate::sessions::{Role, Session};

/// The policy of `policy.toml`. The build checks it (`crates/policy`) and compiles it to constants.
///
/// What the check vouches for, and this module relies on: a placeholder is a whole segment and never the first, so an id stands
/// only where an id belongs; no id can turn one line's channel into another's; and a wildcard that reaches job channels stands
/// exactly where a job template has `{jobId}`.
#[derive(Debug)]
pub struct Policy {
    driver: &'static [Grant],
    dispatcher: &'static [Grant],
    customer: &'static [Grant],
    admin: &'static [Grant],
}

/// What a role may do on the channels of a pattern.
#[derive(Debug)]
struct Grant {
    channel: &'static [Segment],
    operations: &'static [Operation],
    /// The line of the policy that says so, counted from 1.
    line: u32,
}

/// A segment of a channel pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Segment {
    /// Itself.
    Literal(&'static str),
    /// Any segment, and at the end one or more.
    Wildcard,
    /// The session's user.
    UserId,
    /// One of the session's jobs.
    JobId,
}

/// The channel on which the service publishes a job's positions. It is a job template whether or not the policy names it.
const JOB_CHANNEL: &[Segment] = &[Segment::Literal("dispatch"), Segment::Literal("job"), Segment::JobId];

/// Stands for any job where it is asked whether a wildcard reaches job channels: one that does reaches those of every job.
const ANY_JOB: &str = "any";

static COMPILED: Policy = include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// What a session is granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The channels and operations.
    pub capability: Capability,
    /// The job, where the capability has the channels of exactly one.
    pub job: Option<JobId>,
}

/// A rule of the policy that grants something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// The line that says so, from 1.
    pub line: u32,
    /// Whether it does so for one of the user's jobs.
    pub names_job: bool,
}

/// Why a session is granted nothing. Ably's code for all of them is 40160.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The session's user takes no part in any of the jobs that were asked for. Whether there are such jobs is not said.
    #[error("the session gives no access to what `jobId` asks for")]
    ForeignJob,
    /// The policy has no channel for this role, or none but those of jobs that are left out.
    #[error("the policy grants this session no channel")]
    Nothing,
    /// The platform's back end needs no token: it holds the key.
    #[error("a `service` session gets no Ably token")]
    Service,
}

impl From<Refusal> for ErrorInfo {
    fn from(refusal: Refusal) -> Self {
        Self::new(40160, 403, refusal.to_string())
    }
}

impl Policy {
    /// The policy that this build was made with.
    pub fn compiled() -> &'static Self {
        &COMPILED
    }

    /// What a session is granted with these jobs for those that it names; with `narrow`, without the channels of all other jobs than those.
    ///
    /// Narrowing works for every role: it drops the other jobs, and puts its own in place of a wildcard that stands for any job. Channels
    /// that belong to no job stay.
    ///
    /// # Errors
    /// [`Refusal`], always 403: no session of this user and role gets more.
    pub fn grant(
        &self,
        session: &Session,
        jobs: &[JobId],
        narrow: Option<&[JobId]>,
    ) -> Result<Granted, Refusal> {
        if session.role == Role::Service {
            return Err(Refusal::Service);
        }
        let is_left = |job: &&JobId| narrow.is_none_or(|only| only.contains(job));
        self.grant_with(session, &jobs.iter().filter(is_left).collect::<Vec<_>>(), narrow)
    }

    /// What a session is granted with these of its jobs alone, where they are [named one by one](Self::names_jobs).
    ///
    /// # Errors
    /// [`Refusal::Nothing`], where nothing is left.
    pub fn grant_of(&self, session: &Session, jobs: &[&JobId]) -> Result<Granted, Refusal> {
        self.grant_with(session, jobs, None)
    }

    /// Whether the session's jobs are what gives a role its jobs' channels. Drivers and customers have no wildcard.
    pub fn names_jobs(&self, role: Role) -> bool {
        let named = || self.of(role).iter().any(|grant| grant.channel.contains(&Segment::JobId));
        matches!(role, Role::Driver | Role::Customer) && named()
    }

    /// The rule by which somebody may do something on a channel, where it is one of their jobs' if it has to be; nothing where there is none.
    pub fn rule_for(&self, role: Role, user: &UserId, channel: &str, operation: Operation) -> Option<Ruling> {
        let grants = self.of(role).iter().filter(|grant| grant.operations.contains(&operation));
        let (mut named, mut others) = (None, None);
        for grant in grants {
            if grant.channel.contains(&Segment::JobId) {
                named = named.or_else(|| job_in(grant.channel, user, channel).map(|_| grant.line));
            } else if fill(grant.channel, user, ANY_JOB).is_some_and(|pattern| pattern.covers(channel)) {
                others = others.or(Some(grant.line));
            }
        }
        // What is for all jobs asks for none.
        let others = others.map(|line| Ruling { line, names_job: false });
        others.or(named.map(|line| Ruling { line, names_job: true }))
    }

    /// The job whose channel this is to a user, if it is one's.
    pub fn job_of(&self, user: &UserId, channel: &str) -> Option<JobId> {
        self.job_templates().find_map(|template| job_in(template, user, channel))
    }

    fn grant_with(
        &self,
        session: &Session,
        jobs: &[&JobId],
        narrow: Option<&[JobId]>,
    ) -> Result<Granted, Refusal> {
        let user = &session.user;
        let mut grants = Vec::new();
        // The jobs whose channels are granted.
        let mut covered = Jobs::None;
        for grant in self.of(session.role) {
            let Some(operations) = Operations::new(grant.operations.iter().copied()) else { continue };
            let mut add = |channel| grants.push((channel, operations.clone()));
            if grant.channel.contains(&Segment::JobId) {
                for job in jobs {
                    covered = covered.and(job);
                    fill(grant.channel, user, job.as_str()).into_iter().for_each(&mut add);
                }
                continue;
            }
            let Some(channel) = fill(grant.channel, user, ANY_JOB) else { continue };
            let of_job = |job: &str| -> Vec<_> {
                self.job_templates()
                    .filter(|template| may_meet(template, grant.channel))
                    .filter_map(|template| fill(template, user, job)?.intersect(&channel))
                    .collect()
            };
            let Some(jobs) = narrow else {
                if !of_job(ANY_JOB).is_empty() {
                    covered = Jobs::Any;
                }
                add(channel);
                continue;
            };
            let mut reaches_jobs = false;
            for job in jobs {
                for channel in of_job(job.as_str()) {
                    reaches_jobs = true;
                    covered = covered.and(job);
                    add(channel);
                }
            }
            if !reaches_jobs {
                add(channel);
            }
        }
        if narrow.is_some() && covered == Jobs::None {
            return Err(Refusal::ForeignJob);
        }
        let capability = Capability::from_grants(grants).ok_or(Refusal::Nothing)?;
        let job = if let Jobs::One(job) = covered { Some(job.clone()) } else { None };
        Ok(Granted { capability, job })
    }

    fn of(&self, role: Role) -> &'static [Grant] {
        match role {
            Role::Driver => self.driver,
            Role::Dispatcher => self.dispatcher,
            Role::Customer => self.customer,
            Role::Admin => self.admin,
            Role::Service => &[],
        }
    }

    /// The channels that belong to one job each, of all roles.
    fn job_templates(&self) -> impl Iterator<Item = &'static [Segment]> {
        let all = [self.driver, self.dispatcher, self.customer, self.admin];
        let named = all.into_iter().flatten().map(|grant| grant.channel);
        std::iter::once(JOB_CHANNEL).chain(named.filter(|channel| channel.contains(&Segment::JobId)))
    }
}

/// The jobs whose channels a capability has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jobs<'a> {
    None,
    One(&'a JobId),
    /// Several, or all.
    Any,
}

impl<'a> Jobs<'a> {
    fn and(self, job: &'a JobId) -> Self {
        match self {
            Self::None => Self::One(job),
            Self::One(other) if other == job => self,
            Self::One(_) | Self::Any => Self::Any,
        }
    }
}

/// The job by which a template becomes a pattern of this channel.
fn job_in(template: &[Segment], user: &UserId, channel: &str) -> Option<JobId> {
    let place = template.iter().position(|segment| *segment == Segment::JobId)?;
    let job = JobId::parse(channel.split(':').nth(place)?).ok()?;
    fill(template, user, job.as_str()).filter(|pattern| pattern.covers(channel)).map(|_| job)
}

/// Whether two patterns can have a channel in common, by their first segments: which costs next to nothing, and says no nearly always.
fn may_meet(one: &[Segment], other: &[Segment]) -> bool {
    match (one.first(), other.first()) {
        (Some(Segment::Literal(one)), Some(Segment::Literal(other))) => one == other,
        _ => true,
    }
}

/// A channel pattern with the session's ids in it. An id has no `:`, and is never `*`, so it stays one plain segment.
fn fill(channel: &[Segment], user: &UserId, job: &str) -> Option<ChannelPattern> {
    let segments: Vec<_> = channel
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => text,
            Segment::Wildcard => "*",
            Segment::UserId => user.as_str(),
            Segment::JobId => job,
        })
        .collect();
    ChannelPattern::parse(segments.join(":")).ok()
}
