//! What the list of open jobs tells of a job, and whose own lists have to hear that it has changed.

use serde::Serialize;

use super::registration::Registration;
use super::told::State;
use super::vitals::Signs;
use crate::ids::{DispatchId, JobId, UserId};
use crate::objects::Millis;

/// A job as the list of open jobs tells it: no customer, and neither a position nor the place.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "OpenJob"))]
pub struct Listed<'a> {
    job_id: &'a JobId,
    /// It goes on: else it is not listed.
    #[cfg_attr(test, schemars(schema_with = "open"))]
    state: State,
    version: u64,
    // A job that is registered has one.
    #[cfg_attr(test, schemars(with = "u64"))]
    epoch: Option<u64>,
    /// `null` where it waits for a driver.
    driver: Option<&'a UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starts_at: Option<Millis>,
    ends_at: Millis,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispatch_id: Option<&'a DispatchId>,
    #[serde(flatten)]
    signs: Signs,
}

#[cfg(test)]
fn open(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"const": "open"})
}

impl<'a> Listed<'a> {
    /// A job that goes on, in which epoch, and what is amiss with its driver.
    pub fn of(job: &'a JobId, epoch: Option<u64>, registration: &'a Registration, signs: Signs) -> Self {
        let wanted = &registration.wanted;
        Self {
            job_id: job,
            state: State::Open,
            version: registration.version,
            epoch,
            driver: wanted.driver.as_ref(),
            starts_at: wanted.starts_at,
            ends_at: registration.ends_at(),
            dispatch_id: wanted.dispatch_id.as_ref(),
            signs,
        }
    }
}

/// Whose own lists change where a job does: of whoever comes or goes, and of all where it ends, or at another time than it would have.
pub fn concerned(before: Option<&Registration>, after: &Registration) -> Vec<UserId> {
    let was_in: Vec<&UserId> = before.into_iter().flat_map(Registration::participants).collect();
    let is_in: Vec<&UserId> = after.participants().collect();
    let stays_the_same = |user: &&UserId| {
        let ends_alike = before.is_some_and(|before| before.ends_at() == after.ends_at());
        ends_alike && was_in.contains(user) && is_in.contains(user)
    };
    let mut users: Vec<UserId> = was_in
        .iter()
        .chain(&is_in)
        .filter(|user| !stays_the_same(user))
        .map(|user| (*user).clone())
        .collect();
    users.sort();
    users.dedup();
    users
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::registration::{EndReason, Past};
    use crate::jobs::wanted::Wanted;

    const NOW: Millis = 1_700_000_000_000;
    const PAST: Past = Past { last_n: 0, has_fixes: false, epoch: None };

    fn wanted(body: &str) -> Wanted {
        Wanted::parse(body.as_bytes(), NOW).unwrap()
    }

    fn names(users: &[UserId]) -> Vec<&str> {
        users.iter().map(UserId::as_str).collect()
    }

    #[test]
    fn whoever_comes_or_goes_is_concerned_and_all_by_the_end() {
        let (first, _) =
            Registration::new(wanted(r#"{"driver": "d", "customers": ["b", "a", "d"]}"#), PAST, NOW, 1_000);
        assert_eq!(names(&concerned(None, &first)), ["a", "b", "d"], "each once");
        let changed = |body| first.put(wanted(body), PAST, NOW).unwrap().0;
        let other = changed(r#"{"driver": "e", "customers": ["a", "c"], "dispatchId": "x"}"#);
        assert_eq!(names(&concerned(Some(&first), &other)), ["b", "c", "d", "e"]);
        let same = changed(r#"{"driver": "b", "customers": ["d", "a"]}"#);
        assert_eq!(names(&concerned(Some(&first), &same)), [""; 0], "they are in it still");
        let longer = changed(r#"{"driver": "d", "customers": ["a", "d"], "endsAt": 1700000009000}"#);
        assert_eq!(names(&concerned(Some(&first), &longer)), ["a", "b", "d"]);
        let (closed, _) = first.close(EndReason::Done, PAST, NOW).unwrap();
        assert_eq!(names(&concerned(Some(&first), &closed)), ["a", "b", "d"]);
    }

    #[test]
    fn no_customer_and_no_place_is_listed() {
        let body = r#"{"driver": "d", "customers": ["c"], "place": {"lat": 1, "lng": 2}, "startsAt": 1700000001000,
            "endsAt": 1700000009000, "dispatchId": "west"}"#;
        let (registration, _) = Registration::new(wanted(body), PAST, NOW, 1_000);
        let job = JobId::parse("j").unwrap();
        let text =
            serde_json::to_string(&Listed::of(&job, Some(7), &registration, Signs::default())).unwrap();
        assert_eq!(
            text,
            r#"{"jobId":"j","state":"open","version":1,"epoch":7,"driver":"d","startsAt":1700000001000,"endsAt":1700000009000,"dispatchId":"west"}"#
        );
    }
}
