//! Who may do what with a job, by their session's claims.

use super::answer::Answer;
use super::refusal;
use crate::ids::{JobId, UserId};
use crate::sessions::{Role, Session};

/// Until jobs are registered, a driver's session names the jobs that they may post to. Answers whose fixes these are: nobody's yet
/// where the back end posts.
pub(super) fn driver_of(session: Session, job: &JobId) -> Result<Option<UserId>, Answer> {
    match session.role {
        Role::Service => Ok(None),
        Role::Driver if session.jobs.contains(job) => Ok(Some(session.user)),
        Role::Driver => Err(refusal::not_a_participant()),
        Role::Dispatcher | Role::Customer | Role::Admin => Err(refusal::not_a_driver()),
    }
}

/// Whether the session may see the job.
pub(super) fn takes_part(session: &Session, job: &JobId) -> bool {
    match session.role {
        Role::Dispatcher | Role::Admin | Role::Service => true,
        Role::Driver | Role::Customer => session.jobs.contains(job),
    }
}
