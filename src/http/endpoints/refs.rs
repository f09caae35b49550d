//! `GET /api/refs/{ref}`: which job a log line's reference is, for operators.

use serde_json::json;

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobRef;
use crate::locations::{Identity, JobRefusal, JobRequest, Reply};

pub(super) fn get(asked: Asked<'_>, reference: JobRef) -> Next {
    access::operator(&asked.session)?;
    let object = Object::Ref(reference.clone());
    Step::call(object, &JobRequest::Identify, move |reply| match reply? {
        Reply::Answer(identity) => {
            let Identity { job_id } = serde_json::from_str(&identity).map_err(|_| Problem::Internal)?;
            let body = json!({"ref": reference.as_str(), "jobId": job_id.as_str()}).to_string();
            Ok(Step::Done(Answer::json(200, body)))
        }
        Reply::Refusal(JobRefusal::Unknown) => Err(Problem::UnknownRef),
        Reply::Refusal(_) => Err(Problem::Internal),
    })
}
