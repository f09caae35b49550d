//! Whether somebody may do something, and what says so: as a token would say it that they asked for now.

#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use ably::Operation;
use serde::Serialize;
use serde_json::value::RawValue;

use super::policy::Policy;
use crate::ids::{JobId, UserId};
use crate::jobs::{Admission, JobRegistry, Standing, Viewer};
use crate::locations::Reason;
use crate::members::{self, Member, MembersError};
use crate::objects::Millis;
use crate::sessions::{Role, SESSION_JOBS_MAX};

/// The file whose lines are rules.
const FILE: &str = "policy.toml";

/// The longest name of a channel, in bytes.
const CHANNEL_MAX: usize = 2_048;

const USER: Member = Member {
    name: "userId",
    rule: "is a user id: 1 to 128 printable ASCII characters without blank and : * , / [ ]",
};
const ROLE: Member = Member { name: "role", rule: "is one of driver, dispatcher, customer, admin, service" };
const JOBS: Member = Member { name: "jobs", rule: "is a list of at most 50 job ids, as a session has it" };
const CHANNEL: Member = Member { name: "channel", rule: "is the name of a channel, at most 2048 bytes long" };
const OPERATION: Member = Member {
    name: "operation",
    rule: "is one of annotation-publish, annotation-subscribe, channel-metadata, history, message-delete-any, message-delete-own, message-update-any, message-update-own, object-publish, object-subscribe, presence, privileged-headers, publish, push-admin, push-subscribe, stats, subscribe",
};
const ALL: &str = "`userId`, `role`, `jobs`, `channel` and `operation`";

/// Whether this user with this role, whose session lists these jobs, may do this on this channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who.
    pub user: UserId,
    /// What they are to the platform.
    pub role: Role,
    /// What their session lists, each once.
    pub jobs: Vec<JobId>,
    /// Where.
    pub channel: String,
    /// What.
    pub operation: Operation,
}

/// Whether they may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Explanation {
    /// Whether they may.
    pub allowed: bool,
    /// What has said so.
    pub decided_by: DecidedBy,
    /// The rule of the policy that grants it, whatever else is in the way; `null` where none does.
    pub rule: Option<Rule>,
    /// The job whose channel it is, where it is one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// What decides whether somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum DecidedBy {
    /// The policy alone.
    Policy,
    /// What is registered of the job; or that nothing is, where that alone counts.
    Registry,
    /// What the session lists.
    Claim,
    /// A gate of the job: whoever it is for never gets the channel.
    Gate,
    /// The job has ended.
    Closed,
}

/// A rule of the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rule {
    /// In which file.
    pub file: &'static str,
    /// In which line of it, from 1.
    pub line: u32,
}

/// How far a question is answered before anybody is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It is.
    Explained(Explanation),
    /// The object of this job is to be asked what whoever it is may have of it.
    Asks(Pending),
}

/// What waits for the word of a job's object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The job.
    pub job: JobId,
    /// For whom it is asked.
    pub viewer: Viewer,
    rule: Rule,
}

impl Question {
    /// Reads the body of a question.
    ///
    /// # Errors
    /// [`MembersError`]
    pub fn parse(body: &[u8]) -> Result<Self, MembersError> {
        let [user, role, jobs, channel, operation] =
            members::of(body, [USER, ROLE, JOBS, CHANNEL, OPERATION], ALL)?;
        let text = |member: Member, raw: &RawValue| member.read::<String>(raw);
        let user = UserId::parse(text(USER, user)?).map_err(|_| USER.wrong(Reason::InvalidId))?;
        let role = Role::parse(&text(ROLE, role)?).ok_or(ROLE.wrong(Reason::OutOfRange))?;
        let listed: Vec<String> = JOBS.read(jobs)?;
        if listed.len() > SESSION_JOBS_MAX {
            return Err(JOBS.wrong(Reason::OutOfRange));
        }
        let mut jobs = Vec::with_capacity(listed.len());
        for job in listed {
            let job = JobId::parse(job).map_err(|_| JOBS.wrong(Reason::InvalidId))?;
            if !jobs.contains(&job) {
                jobs.push(job);
            }
        }
        let channel = text(CHANNEL, channel)?;
        if channel.is_empty() || channel.len() > CHANNEL_MAX {
            return Err(CHANNEL.wrong(Reason::OutOfRange));
        }
        let operation = Operation::parse(&text(OPERATION, operation)?);
        let operation = operation.map_err(|_| OPERATION.wrong(Reason::OutOfRange))?;
        Ok(Self { user, role, jobs, channel, operation })
    }

    /// Answers it by the policy and by what the session lists, as far as those decide.
    pub fn examine(&self, policy: &Policy, registry: JobRegistry) -> Finding {
        let Self { user, role, jobs, channel, operation } = self;
        let explained = |allowed, decided_by, rule, job| {
            Finding::Explained(Explanation { allowed, decided_by, rule, job })
        };
        let job = policy.job_of(user, channel);
        let rule = |line| Some(Rule { file: FILE, line });
        let Some(granted) = policy.rule_for(*role, user, channel, *operation) else {
            return explained(false, DecidedBy::Policy, None, job);
        };
        if !granted.names_job {
            return explained(true, DecidedBy::Policy, rule(granted.line), job);
        }
        let is_listed = job.as_ref().is_some_and(|job| jobs.contains(job));
        match job {
            Some(job) if policy.names_jobs(*role) && registry.asks(*role, is_listed) => {
                let registry_alone = registry.alone_lets_in(*role);
                let viewer = Viewer { role: *role, user: user.clone(), registry_alone };
                Finding::Asks(Pending { job, viewer, rule: Rule { file: FILE, line: granted.line } })
            }
            job => explained(is_listed, DecidedBy::Claim, rule(granted.line), job),
        }
    }
}

impl Pending {
    /// Answers the question by what the job's object says, at `now`, Unix milliseconds.
    pub fn explain(self, admission: Admission, now: Millis) -> Explanation {
        // A token lives for whole seconds.
        let is_over = admission.until.is_some_and(|until| until / 1_000 <= now / 1_000);
        let (allowed, decided_by) = match admission.standing {
            // Of a job that is not registered nobody says until when it goes on.
            Standing::Admitted if admission.until.is_none() => (true, DecidedBy::Claim),
            Standing::Admitted if is_over => (false, DecidedBy::Closed),
            Standing::Admitted => (true, DecidedBy::Registry),
            Standing::Waiting | Standing::Foreign => (false, DecidedBy::Registry),
            Standing::Gated => (false, DecidedBy::Gate),
            Standing::Refused => (false, DecidedBy::Closed),
        };
        Explanation { allowed, decided_by, rule: Some(self.rule), job: Some(self.job) }
    }
}
