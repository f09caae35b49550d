//! `POST /api/jobs/{jobId}/heartbeat`: the driver's phone is heard of, without a position.

use super::location::answer;
use crate::http::access;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::jobs::{Heartbeat, JobRegistry};
use crate::locations::{JobRequest, Sender};

pub(super) fn post(asked: Asked<'_>, job: JobId) -> Next {
    let driver = access::driver_of(&asked, &job)?;
    asked.head.unencoded()?;
    let registry_alone = asked.config.job_registry == JobRegistry::Required;
    Ok(Step::read_body(move |body| {
        let sender = driver.as_ref().map_or(Sender::Service, Sender::Driver);
        let (whose, state) = Heartbeat::parse(body?, sender).map_err(Problem::Job)?;
        let request = JobRequest::Heartbeat { job: job.clone(), driver: whose, state, registry_alone };
        let asker = driver.filter(|_| registry_alone);
        Step::call(Object::Job(job), &request, |reply| answer(reply, asker))
    }))
}
