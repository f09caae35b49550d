//! `GET /api/jobs/{jobId}/outbox`, `POST /api/jobs/{jobId}/outbox/retry`: what of a job has not reached Ably, and why; and what Ably
//! has refused for good, sent once more. For operators.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::locations::{JobRefusal, JobRequest, Reply};

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    access::operator(&asked.session)?;
    Step::call(Object::Job(job.clone()), &JobRequest::Outbox { job }, |reply| match reply? {
        Reply::Answer(body) => Ok(Step::Done(Answer::json(200, body))),
        Reply::Refusal(_) => Err(Problem::Internal),
    })
}

pub(super) fn retry(asked: Asked<'_>, job: JobId) -> Next {
    access::operator(&asked.session)?;
    asked.head.unencoded()?;
    Ok(Step::read_body(move |body| {
        let range = serde_json::from_slice(body?).map_err(|_| Problem::Range)?;
        let request = JobRequest::Resend { job: job.clone(), range };
        Step::call(Object::Job(job), &request, |reply| match reply? {
            Reply::Answer(body) => Ok(Step::Done(Answer::json(202, body))),
            Reply::Refusal(JobRefusal::NotSetAside) => Err(Problem::NotSetAside),
            Reply::Refusal(_) => Err(Problem::Internal),
        })
    }))
}
