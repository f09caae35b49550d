//! `POST /api/jobs/{jobId}/heartbeat`: the driver's phone is heard of, without a position.

use super::location::answer;
use crate::http::access;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::jobs::Heartbeat;
use crate::locations::{JobRequest, Sender};

pub(super) fn post(asked: Asked<'_>, job: JobId) -> Next {
    let driver = access::driver_of(&asked.session, &job)?;
    asked.head.unencoded()?;
    Ok(Step::read_body(move |body| {
        let sender = driver.as_ref().map_or(Sender::Service, Sender::Driver);
        let (driver, state) = Heartbeat::parse(body?, sender).map_err(Problem::Job)?;
        Step::call(Object::Job(job.clone()), &JobRequest::Heartbeat { job, driver, state }, answer)
    }))
}
