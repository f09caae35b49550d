//! `GET /api/jobs`: the jobs that go on, for whoever hands them out; and one's own, for drivers and customers.

use serde_json::value::RawValue;

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::if_none_match;
use crate::http::problem::{Problem, json};
use crate::http::query::JobsQuery;
use crate::http::step::{Asked, Next, Step};
use crate::ids::JobId;
use crate::index::{List, Wanted};
use crate::jobs::{JobRegistry, Viewer};
use crate::locations::{JobRequest, Reply};

use super::job;

pub(super) fn get(asked: Asked<'_>) -> Next {
    job::is_there(&asked)?;
    let query = JobsQuery::parse(asked.query.unwrap_or_default())?;
    let known = (asked.head.header)("if-none-match");
    match query {
        JobsQuery::Open(wanted) => {
            access::lister(&asked.session)?;
            Step::list(List::Open, &wanted, move |reply| answer(listed(reply?)?, known.as_deref()))
        }
        JobsQuery::Mine(wanted) => {
            access::taking_part(&asked.session)?;
            mine(&asked, &wanted, known)
        }
    }
}

/// A page of the list of one's own jobs, each told by its object: the list itself decides nothing.
fn mine(asked: &Asked<'_>, wanted: &Wanted, known: Option<String>) -> Next {
    let registry = asked.config.job_registry;
    let (session, viewer) = (asked.session.clone(), Viewer::of(&asked.session, registry));
    Step::list(List::Of(session.user.clone()), wanted, move |reply| {
        let Page { mut jobs, next } =
            serde_json::from_str(&listed(reply?)?).map_err(|_| Problem::Internal)?;
        jobs.retain(|job| match registry {
            JobRegistry::On => session.jobs.contains(job),
            JobRegistry::Required => true,
            JobRegistry::Off => false,
        });
        if jobs.is_empty() {
            return answer(json(&Told { jobs: Vec::new(), next })?, known.as_deref());
        }
        let request = |job: JobId| (job.clone(), JobRequest::Job { job, viewer: viewer.clone() });
        Step::call_all(jobs.into_iter().map(request).collect(), move |replies| {
            let told = replies?.into_iter().filter_map(|reply| match reply {
                Reply::Answer(told) => Some(RawValue::from_string(told).map_err(|_| Problem::Internal)),
                // What its object does not confirm is not theirs, or not any more.
                Reply::Refusal(_) => None,
            });
            let jobs = told.collect::<Result<Vec<_>, _>>()?;
            answer(json(&Told { jobs, next })?, known.as_deref())
        })
    })
}

/// A page of a user's own list.
#[derive(serde::Deserialize)]
struct Page {
    jobs: Vec<JobId>,
    next: Option<JobId>,
}

#[derive(serde::Serialize)]
struct Told {
    jobs: Vec<Box<RawValue>>,
    next: Option<JobId>,
}

/// A list refuses nothing.
fn listed(reply: Reply) -> Result<String, Problem> {
    match reply {
        Reply::Answer(page) => Ok(page),
        Reply::Refusal(_) => Err(Problem::Internal),
    }
}

fn answer(body: String, known: Option<&str>) -> Next {
    Ok(Step::Done(if_none_match::answer(Answer::json(200, body), known)))
}
