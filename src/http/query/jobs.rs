//! What the query of a list of jobs asks for.

use super::{QueryError, limit, only};
use crate::ids::{DispatchId, JobId};
use crate::index::Wanted;

/// The most jobs of a page, and as many as a page has where nobody says.
const LIMIT_MAX: u32 = 100;
const LIMIT: u32 = 50;

/// The same of one's own jobs: the object of each is asked.
const OWN_LIMIT_MAX: u32 = 20;

/// The parameters of a list of jobs. All others are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) enum JobsQuery {
    /// `state=open`, or nothing: all that go on.
    Open(Wanted),
    /// `mine`: those in which whoever asks takes part.
    Mine(Wanted),
}

impl JobsQuery {
    /// Reads a query as it came. A parameter that is there and empty is an error rather than one that is not there, but for `mine`.
    pub(in crate::http) fn parse(query: &str) -> Result<Self, QueryError> {
        let value = |name| only(query, name);
        let is_mine = match value("mine")?.as_deref() {
            None => false,
            Some("" | "true") => true,
            Some(_) => return Err(QueryError::Mine),
        };
        if value("state")?.is_some_and(|state| state != "open") {
            return Err(QueryError::State);
        }
        let (max, default) = if is_mine { (OWN_LIMIT_MAX, OWN_LIMIT_MAX) } else { (LIMIT_MAX, LIMIT) };
        let limit =
            value("limit")?.map(|text| limit(&text, max).ok_or(QueryError::Limit(max))).transpose()?;
        let after = value("after")?.map(|text| JobId::parse(text).map_err(|_| QueryError::AfterJob));
        let dispatch_id =
            value("dispatchId")?.map(|text| DispatchId::parse(text).map_err(|_| QueryError::Dispatch));
        let wanted = Wanted {
            after: after.transpose()?,
            limit: limit.unwrap_or(default),
            dispatch_id: dispatch_id.transpose()?,
        };
        match is_mine {
            true if wanted.dispatch_id.is_some() => Err(QueryError::NotOfMine),
            true => Ok(Self::Mine(wanted)),
            false => Ok(Self::Open(wanted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(after: Option<&str>, limit: u32, dispatch: Option<&str>) -> Wanted {
        let after = after.map(|id| JobId::parse(id).unwrap());
        Wanted { after, limit, dispatch_id: dispatch.map(|id| DispatchId::parse(id).unwrap()) }
    }

    #[test]
    fn what_is_asked_for_is_read() {
        for query in ["", "state=open", "State=x&page=2", "state=open&state=open&limit=50"] {
            assert_eq!(JobsQuery::parse(query), Ok(JobsQuery::Open(wanted(None, LIMIT, None))), "{query}");
        }
        let some = wanted(Some("job-7"), 100, Some("west"));
        assert_eq!(JobsQuery::parse("dispatchId=west&limit=100&after=job%2D7"), Ok(JobsQuery::Open(some)));
        for query in ["mine", "mine=", "mine=true", "state=open&mine", "mine&mine="] {
            assert_eq!(JobsQuery::parse(query), Ok(JobsQuery::Mine(wanted(None, 20, None))), "{query}");
        }
        let some = wanted(Some("a"), 1, None);
        assert_eq!(JobsQuery::parse("mine&limit=1&after=a"), Ok(JobsQuery::Mine(some)));
    }

    #[test]
    fn what_is_malformed_names_its_parameter() {
        for (query, error) in [
            ("state=", QueryError::State),
            ("state=closed", QueryError::State),
            ("state=open&state=closed", QueryError::Repeated("state")),
            ("dispatchId=", QueryError::Dispatch),
            ("dispatchId=a%20b", QueryError::Dispatch),
            ("after=", QueryError::AfterJob),
            ("after=a%2Fb", QueryError::AfterJob),
            ("limit=0", QueryError::Limit(100)),
            ("limit=101", QueryError::Limit(100)),
            ("limit=", QueryError::Limit(100)),
            ("mine&limit=21", QueryError::Limit(20)),
            ("mine=false", QueryError::Mine),
            ("mine&mine=true", QueryError::Repeated("mine")),
            ("mine&dispatchId=a", QueryError::NotOfMine),
        ] {
            assert_eq!(JobsQuery::parse(query), Err(error), "{query}");
            assert!(error.to_string().contains(&format!("`{}`", error.parameter())));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(query in ".*") {
            let _ = JobsQuery::parse(&query);
        }
    }
}
