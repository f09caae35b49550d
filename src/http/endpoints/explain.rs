//! `POST /api/policy/explain`: whether somebody may do something, and what says so. For operators.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::{Problem, json};
use crate::http::step::{Asked, Next, Object, Step};
use crate::locations::JobRequest;
use crate::objects::Millis;
use crate::tokens::{Explanation, Finding, Policy, Question};

use super::ably_token::admission;

pub(super) fn post(asked: Asked<'_>) -> Next {
    access::operator(&asked.session)?;
    asked.head.unencoded()?;
    let (registry, now) = (asked.config.job_registry, asked.moment.now_ms as Millis);
    Ok(Step::read_body(move |body| {
        let question = Question::parse(body?).map_err(Problem::Question)?;
        match question.examine(Policy::compiled(), registry) {
            Finding::Explained(explanation) => answer(&explanation),
            Finding::Asks(pending) => {
                // No token is issued, so none may have to be revoked.
                let request = JobRequest::Admit {
                    job: pending.job.clone(),
                    viewer: pending.viewer.clone(),
                    token_request: false,
                };
                Step::call(Object::Job(pending.job.clone()), &request, move |reply| {
                    answer(&pending.explain(admission(reply?)?, now))
                })
            }
        }
    }))
}

fn answer(explanation: &Explanation) -> Next {
    Ok(Step::Done(Answer::json(200, json(explanation)?)))
}
