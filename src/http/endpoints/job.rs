//! `PUT`, `GET`, `DELETE /api/jobs/{jobId}`, `POST …/close`: who takes part in a job, and its end.

use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::path::PathError;
use crate::http::precondition;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step, Unreachable};
use crate::ids::{JobId, UserId};
use crate::jobs::told::Outcome;
use crate::jobs::{CloseReason, JobRegistry, Wanted};
use crate::locations::{JobRefusal, JobRequest, Reply};
use crate::objects::Millis;

pub(super) fn put(asked: Asked<'_>, job: JobId) -> Next {
    is_there(&asked)?;
    access::manager(&asked.session)?;
    asked.head.unencoded()?;
    let only = precondition::of_put(asked.head)?;
    let now = asked.moment.now_ms as Millis;
    Ok(Step::read_body(move |body| {
        let wanted = Wanted::parse(body?, now).map_err(Problem::Job)?;
        Step::call(Object::Job(job.clone()), &JobRequest::Put { job, wanted, only }, |reply| match reply? {
            // Only where a version of it was asked for.
            Reply::Refusal(JobRefusal::NotRegistered) => Err(Problem::OtherVersion { current: None }),
            reply => changed(Ok(reply)),
        })
    }))
}

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    is_there(&asked)?;
    let viewer = access::participant(&asked, &job)?;
    let asker = access::asker(&viewer);
    Step::call(Object::Job(job.clone()), &JobRequest::Job { job, viewer }, |reply| match reply? {
        Reply::Answer(told) => {
            let Version { version } = serde_json::from_str(&told).map_err(|_| Problem::Internal)?;
            Ok(Step::Done(tagged(200, version, told)))
        }
        Reply::Refusal(refusal) => access::refuse(refusal, asker),
    })
}

pub(super) fn close(asked: Asked<'_>, job: JobId) -> Next {
    is_there(&asked)?;
    access::manager(&asked.session)?;
    asked.head.unencoded()?;
    Ok(Step::read_body(move |body| {
        let reason = CloseReason::parse(body?).map_err(Problem::Job)?;
        let request = JobRequest::Close { job: job.clone(), reason };
        Step::call(Object::Job(job.clone()), &request, move |reply| match reply? {
            // Of one that is forgotten there is nothing else to tell.
            Reply::Refusal(JobRefusal::Forgotten) => {
                let body = json!({"jobId": job.as_str(), "state": "closed"}).to_string();
                Ok(Step::Done(Answer::json(200, body)))
            }
            reply => changed(Ok(reply)),
        })
    }))
}

pub(super) fn delete(asked: Asked<'_>, job: JobId) -> Next {
    is_there(&asked)?;
    access::manager(&asked.session)?;
    Step::call(Object::Job(job.clone()), &JobRequest::Forget { job }, |reply| match reply? {
        Reply::Answer(_) => Ok(Step::Done(Answer::empty(204))),
        Reply::Refusal(refusal) => Err(access::refused(refusal)),
    })
}

pub(super) fn put_customer(asked: Asked<'_>, job: JobId, user: UserId) -> Next {
    customer(&asked, job, user, true)
}

pub(super) fn delete_customer(asked: Asked<'_>, job: JobId, user: UserId) -> Next {
    customer(&asked, job, user, false)
}

fn customer(asked: &Asked<'_>, job: JobId, user: UserId, takes_part: bool) -> Next {
    is_there(asked)?;
    access::manager(&asked.session)?;
    let only = precondition::of_change(asked.head)?;
    let request = JobRequest::Customer { job: job.clone(), user, takes_part, only };
    Step::call(Object::Job(job), &request, changed)
}

/// Without a registry there are no such routes.
pub(super) fn is_there(asked: &Asked<'_>) -> Result<(), Problem> {
    match asked.config.job_registry {
        JobRegistry::On | JobRegistry::Required => Ok(()),
        JobRegistry::Off => Err(Problem::Path(PathError::NotFound)),
    }
}

/// What an object says of a change.
#[derive(Deserialize)]
struct Changed<'a> {
    outcome: Outcome,
    version: u64,
    #[serde(borrow)]
    job: &'a RawValue,
}

#[derive(Deserialize)]
struct Version {
    version: u64,
}

fn changed(reply: Result<Reply, Unreachable>) -> Next {
    match reply? {
        Reply::Answer(text) => {
            let Changed { outcome, version, job } =
                serde_json::from_str(&text).map_err(|_| Problem::Internal)?;
            match outcome {
                Outcome::Created => Ok(Step::Done(tagged(201, version, job.get()))),
                Outcome::Done => Ok(Step::Done(tagged(200, version, job.get()))),
                Outcome::OtherVersion => {
                    Err(Problem::OtherVersion { current: Some((version, job.get().into())) })
                }
            }
        }
        // Whoever changes a job may know that it has ended.
        Reply::Refusal(JobRefusal::Closed) => Err(Problem::JobClosed { status: 409 }),
        Reply::Refusal(refusal) => Err(access::refused(refusal)),
    }
}

fn tagged(status: u16, version: u64, job: impl Into<String>) -> Answer {
    Answer::json(status, job).with("etag", format!("\"{version}\""))
}
