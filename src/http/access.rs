//! Who may do what with a job, by their session's claims.

use super::problem::Problem;
use crate::ids::{JobId, UserId};
use crate::jobs::JobError;
use crate::locations::JobRefusal;
use crate::sessions::{Role, Session};

/// Until jobs are registered, a driver's session names the jobs that they may post to. Answers whose fixes these are: nobody's yet
/// where the back end posts.
pub(super) fn driver_of(session: &Session, job: &JobId) -> Result<Option<UserId>, Problem> {
    match session.role {
        Role::Service => Ok(None),
        Role::Driver if session.jobs.contains(job) => Ok(Some(session.user.clone())),
        Role::Driver => Err(Problem::NotAParticipant),
        Role::Dispatcher | Role::Customer | Role::Admin => Err(Problem::NotADriver),
    }
}

/// Refuses a session that may not see the job.
pub(super) fn participant(session: &Session, job: &JobId) -> Result<(), Problem> {
    match session.role {
        Role::Dispatcher | Role::Admin | Role::Service => Ok(()),
        Role::Driver | Role::Customer if session.jobs.contains(job) => Ok(()),
        Role::Driver | Role::Customer => Err(Problem::NotAParticipant),
    }
}

/// Whether a session is told whose fixes those of a job are, and by which names the driver's phone calls them: that is no customer's
/// business.
pub(super) fn is_told_names(session: &Session) -> bool {
    match session.role {
        Role::Driver | Role::Dispatcher | Role::Admin | Role::Service => true,
        Role::Customer => false,
    }
}

/// Refuses a session of one who hands no jobs out.
pub(super) fn manager(session: &Session) -> Result<(), Problem> {
    match session.role {
        Role::Dispatcher | Role::Admin | Role::Service => Ok(()),
        Role::Driver | Role::Customer => Err(Problem::NotADispatcher),
    }
}

/// Refuses a session of one who sees no jobs but their own.
pub(super) fn lister(session: &Session) -> Result<(), Problem> {
    manager(session).map_err(|_| Problem::OwnJobsOnly)
}

/// Refuses a session of one who takes part in no job.
pub(super) fn taking_part(session: &Session) -> Result<(), Problem> {
    match session.role {
        Role::Driver | Role::Customer => Ok(()),
        Role::Dispatcher | Role::Admin | Role::Service => Err(Problem::NoOwnJobs),
    }
}

/// What it means that an object does not do what it is asked.
pub(super) fn refused(refusal: JobRefusal) -> Problem {
    match refusal {
        JobRefusal::TooFast { retry_after } => Problem::TooFast { retry_after },
        JobRefusal::Backlog => Problem::Backlog,
        JobRefusal::NotSetAside => Problem::NotSetAside,
        JobRefusal::NotAParticipant => Problem::NotAParticipant,
        JobRefusal::Closed => Problem::JobClosed { status: 403 },
        JobRefusal::Forgotten => Problem::JobForgotten,
        JobRefusal::NotRegistered => Problem::NotRegistered,
        JobRefusal::EndNeeded => Problem::Job(JobError::END_NEEDED),
        JobRefusal::TooManyCustomers => Problem::Job(JobError::TooManyCustomers),
        // It was told which job it is.
        JobRefusal::Unknown => Problem::Internal,
    }
}

/// Refuses a session of one who does not run the platform.
pub(super) fn operator(session: &Session) -> Result<(), Problem> {
    match session.role {
        Role::Admin | Role::Service => Ok(()),
        Role::Driver | Role::Dispatcher | Role::Customer => Err(Problem::NotAnOperator),
    }
}
