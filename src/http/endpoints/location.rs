//! `POST`, `GET /api/jobs/{jobId}/location`: a driver's fixes; the last live one, for who takes part in the job.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step, Unreachable};
use crate::ids::{FixId, JobId, UserId};
use crate::jobs::JobRegistry;
use crate::locations::{JobRequest, Post, Reply, Sender};

pub(super) fn post(asked: Asked<'_>, job: JobId) -> Next {
    let driver = access::driver_of(&asked, &job)?;
    asked.head.unencoded()?;
    let key = (asked.head.header)("idempotency-key").map(FixId::parse).transpose();
    let key = key.map_err(Problem::IdempotencyKey)?;
    let registry_alone = asked.config.job_registry == JobRegistry::Required;
    Ok(Step::read_body(move |body| {
        let sender = driver.as_ref().map_or(Sender::Service, Sender::Driver);
        let post = Post::parse(body?, sender, key.as_ref())?;
        let request = JobRequest::Post { job: job.clone(), post, registry_alone };
        let asker = driver.filter(|_| registry_alone);
        Step::call(Object::Job(job), &request, |reply| answer(reply, asker))
    }))
}

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    let viewer = access::participant(&asked, &job)?;
    let asker = access::asker(&viewer);
    let request = JobRequest::State { job: job.clone(), viewer: Some(viewer) };
    Step::call(Object::Job(job), &request, |reply| answer(reply, asker))
}

/// The object's answer is ours, as it is.
pub(super) fn answer(reply: Result<Reply, Unreachable>, asker: Option<UserId>) -> Next {
    match reply? {
        Reply::Answer(body) => Ok(Step::Done(Answer::json(200, body))),
        Reply::Refusal(refusal) => access::refuse(refusal, asker),
    }
}
