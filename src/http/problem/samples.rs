//! Problems of each kind that has many, for the description.

use strum::IntoEnumIterator;

use super::Problem;
use crate::http::query::QueryError;
use crate::jobs::JobError;
use crate::locations::{Field, PostError, Reason, Rejection};
use crate::members::MembersError;
use crate::sessions::SessionError;

/// Why a member of a body, or a fix of a post, is refused before anybody looks at the job.
const OF_FORM: [Reason; 7] = [
    Reason::Required,
    Reason::WrongType,
    Reason::OutOfRange,
    Reason::NotATime,
    Reason::InSeconds,
    Reason::InvalidId,
    Reason::Repeated,
];

/// Why a request of this method has no session.
pub(in crate::http) fn sessions(method: &str) -> Vec<Problem> {
    // What changes nothing needs no origin.
    let all = SessionError::iter().filter(|error| method != "GET" || *error != SessionError::Origin);
    all.map(Problem::Session).collect()
}

/// Why a query is not read.
pub(in crate::http) fn queries() -> Vec<Problem> {
    let repeated = ["after", "limit", "format", "state", "dispatchId", "mine"].map(QueryError::Repeated);
    let others = QueryError::iter().filter(|error| !matches!(error, QueryError::Repeated(_)));
    others.chain(repeated).map(Problem::Query).collect()
}

/// Why a post is not read.
pub(in crate::http) fn posts() -> Vec<Problem> {
    let of_all = |make: fn(Rejection) -> PostError, fields: &[Field]| {
        let pairs = fields.iter().flat_map(|field| OF_FORM.map(|reason| Rejection::of(*field, reason)));
        pairs.map(make).collect::<Vec<_>>()
    };
    let whole = [
        PostError::TooLarge,
        PostError::TooMany,
        PostError::Empty,
        PostError::NotUtf8,
        PostError::ByteOrderMark,
        PostError::NotJson { line: 1, column: 1 },
        PostError::Invalid(Rejection::not_an_object()),
    ];
    let fields: Vec<Field> = Field::iter().collect();
    let fixes = of_all(PostError::Invalid, &fields);
    whole
        .into_iter()
        .chain(fixes)
        .chain(of_all(PostError::SentAt, &[Field::SentAt]))
        .map(Problem::Post)
        .collect()
}

/// Why a job, or what is said of one, is not valid.
pub(in crate::http) fn jobs() -> Vec<Problem> {
    let fields =
        ["driver", "customers", "place", "startsAt", "endsAt", "state", "gate", "dispatchId", "reason"];
    let members =
        fields.into_iter().flat_map(|field| OF_FORM.map(|reason| JobError::Member { field, reason }));
    [JobError::NotAnObject, JobError::TooManyCustomers].into_iter().chain(members).map(Problem::Job).collect()
}

/// Why an event is not valid.
pub(in crate::http) fn events() -> Vec<Problem> {
    members(&["id", "type", "version"]).into_iter().map(Problem::Event).collect()
}

/// Why a question is not valid.
pub(in crate::http) fn questions() -> Vec<Problem> {
    members(&["userId", "role", "jobs", "channel", "operation"]).into_iter().map(Problem::Question).collect()
}

/// Why a notification is not valid.
pub(in crate::http) fn notifications() -> Vec<Problem> {
    members(&["id", "type", "entityId", "version"]).into_iter().map(Problem::Notification).collect()
}

fn members(fields: &[&'static str]) -> Vec<MembersError> {
    let of = |field: &'static str| {
        OF_FORM
            .into_iter()
            .filter(|reason| !matches!(reason, Reason::NotATime | Reason::InSeconds))
            .map(move |reason| MembersError::Member { field, reason, rule: "" })
    };
    let whole = [MembersError::NotAnObject, MembersError::Unknown("")];
    whole.into_iter().chain(fields.iter().copied().flat_map(of)).collect()
}
