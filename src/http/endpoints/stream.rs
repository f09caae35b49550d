//! `GET /api/jobs/{jobId}/stream`: what happens in a job, as server-sent events, for who takes part in it.

use crate::http::access;
use crate::http::answer::Answer;
use crate::http::problem::Problem;
use crate::http::query::StreamQuery;
use crate::http::step::{Asked, Next, Object, Step};
use crate::ids::JobId;
use crate::locations::protocol::Begin;
use crate::locations::{JobRequest, Reply, StreamRequest};
use crate::objects::Millis;
use crate::streams::Mark;

pub(super) fn get(asked: Asked<'_>, job: JobId) -> Next {
    let viewer = access::participant(&asked, &job)?;
    let StreamQuery { after } = StreamQuery::parse(asked.query.unwrap_or_default())?;
    let asker = access::asker(&viewer);
    if asked.head.method == "HEAD" {
        // The same refusals, and no stream that nobody reads.
        let request = JobRequest::State { job: job.clone(), viewer: Some(viewer) };
        return Step::call(Object::Job(job), &request, move |reply| match reply? {
            Reply::Answer(_) => Ok(Step::Done(Answer::events())),
            Reply::Refusal(refusal) => access::refuse(refusal, asker),
        });
    }
    // An `EventSource` that comes again sends the same query, so the header knows better. It cannot mend what it sends: so one that is no
    // id is no error.
    let last = (asked.head.header)("last-event-id").filter(|id| !id.is_empty());
    let begin = match last.map(|id| Mark::parse(&id)) {
        Some(Some(mark)) => Begin::After(mark),
        Some(None) => Begin::Nowhere,
        None => after.map_or(Begin::Now, Begin::After),
    };
    let until = Millis::try_from(asked.session.expires_at).unwrap_or(Millis::MAX).saturating_mul(1_000);
    Step::stream(&StreamRequest { job, viewer, until, begin }, move |reply| match reply? {
        Reply::Refusal(refusal) => access::refuse(refusal, asker),
        // It has no other answer.
        Reply::Answer(_) => Err(Problem::Internal),
    })
}
