//! `POST`, `GET /api/jobs/{jobId}/location`: a driver's fixes; the last live one, for who takes part in the job.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step, Unreachable};
use crate::ids::{FixId, JobId};
use crate::jobs::Viewer;
use crate::locations::{JobRequest, Post, Reply, Sender};

pub(super) fn post(asked: Asked<'_>, job: JobId) -> Next {
    let driver = access::driver_of(&asked.session, &job)?;
    asked.head.unencoded()?;
    let key = (asked.head.header)("idempotency-key").map(FixId::parse).transpose();
    let key = key.map_err(Problem::IdempotencyKey)?;
    Ok(Step::read_body(move |body| {
        let sender = driver.as_ref().map_or(Sender::Service, Sender::Driver);
        let post = Post::parse(body?, sender, key.as_ref())?;
        Step::call(Object::Job(job.clone()), &JobRequest::Post { job, post }, answer)
    }))
}

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    access::participant(&asked.session, &job)?;
    let viewer = Some(Viewer::of(&asked.session));
    Step::call(Object::Job(job.clone()), &JobRequest::State { job, viewer }, answer)
}

/// The object's answer is ours, as it is.
pub(super) fn answer(reply: Result<Reply, Unreachable>) -> Next {
    match reply? {
        Reply::Answer(body) => Ok(Step::Done(Answer::json(200, body))),
        Reply::Refusal(refusal) => Err(access::refused(refusal)),
    }
}
