//! `POST /api/jobs/{jobId}/events`: an event of the platform's, in order with the job's fixes.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::jobs::Update;
use crate::locations::{JobRefusal, JobRequest, Reply};

pub(super) fn post(asked: Asked<'_>, job: JobId) -> Next {
    access::manager(&asked.session)?;
    asked.head.unencoded()?;
    Ok(Step::read_body(move |body| {
        let update = Update::parse(body?).map_err(Problem::Event)?;
        let request = JobRequest::Update { job: job.clone(), update };
        Step::call(Object::Job(job), &request, |reply| match reply? {
            Reply::Answer(body) => Ok(Step::Done(Answer::json(202, body))),
            // Whoever tells of a job may know that it has ended.
            Reply::Refusal(JobRefusal::Closed) => Err(Problem::JobClosed { status: 409 }),
            Reply::Refusal(refusal) => Err(access::refused(refusal)),
        })
    }))
}
