//! Who may do what with a job, by their session: its role, and its claims where those count.

use super::problem::Problem;
use super::step::{Asked, Next, Step};
use crate::ids::{JobId, UserId};
use crate::jobs::{JobError, Viewer};
use crate::locations::JobRefusal;
use crate::sessions::{Role, Session};

/// Who may post to a job, as far as that can be told before its object is asked. Answers whose fixes these are: nobody's yet where the
/// back end posts.
pub(super) fn driver_of(asked: &Asked<'_>, job: &JobId) -> Result<Option<UserId>, Problem> {
    match asked.session.role {
        Role::Service => Ok(None),
        Role::Driver => participant(asked, job).map(|viewer| Some(viewer.user)),
        Role::Dispatcher | Role::Customer | Role::Admin => Err(Problem::NotADriver),
    }
}

/// Refuses a session that may not see the job, as far as that can be told before its object is asked.
pub(super) fn participant(asked: &Asked<'_>, job: &JobId) -> Result<Viewer, Problem> {
    let (session, registry) = (&asked.session, asked.config.job_registry);
    match session.role {
        Role::Dispatcher | Role::Admin | Role::Service => {}
        role @ (Role::Driver | Role::Customer) => {
            if !registry.alone_lets_in(role) && !session.jobs.contains(job) {
                return Err(Problem::NotListed);
            }
        }
    }
    Ok(Viewer::of(session, registry))
}

/// What becomes of a request that an object refuses; `asker` is whoever no claim speaks for. Each job of which they are told that it is none
/// of theirs takes a place in their limit: that there is none left is told in the same way too, whether or not there is such a job.
pub(super) fn refuse(refusal: JobRefusal, asker: Option<UserId>) -> Next {
    match (refused(refusal), asker) {
        (Problem::NotAParticipant, Some(user)) => Ok(foreign(user, 1, Err(Problem::NotAParticipant))),
        (problem, _) => Err(problem),
    }
}

/// Ends so where there are as many places left in somebody's limit.
pub(super) fn foreign(user: UserId, places: usize, end: Next) -> Step {
    Step::limit(
        user,
        places,
        move |is_within| if is_within? { end } else { Err(Problem::TooManyUnknownJobs) },
    )
}

/// Whoever no claim speaks for.
pub(super) fn asker(viewer: &Viewer) -> Option<UserId> {
    viewer.registry_alone.then(|| viewer.user.clone())
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
        JobRefusal::Ended { reason } => Problem::JobEnded { reason },
        JobRefusal::Forgotten => Problem::JobForgotten,
        JobRefusal::NotRegistered => Problem::NotRegistered,
        JobRefusal::EndNeeded => Problem::Job(JobError::END_NEEDED),
        JobRefusal::GateTooLate => Problem::Job(JobError::GATE_TOO_LATE),
        JobRefusal::TooManyCustomers => Problem::Job(JobError::TooManyCustomers),
        JobRefusal::IdReused => Problem::IdReused,
        JobRefusal::TrailFull => Problem::TrailFull,
        JobRefusal::TooManyStreams => Problem::TooManyStreams,
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
