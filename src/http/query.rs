//! What the query of a URL asks for.

mod jobs;

use std::borrow::Cow;

use thiserror::Error;

pub(super) use self::jobs::JobsQuery;
use crate::locations::place::Place;
use crate::locations::trail::LIMIT_MAX;
use crate::locations::trail::format::Format;
use crate::streams::Mark;

/// The parameters of a trail. All others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TrailQuery {
    /// `after`: the place after which to begin.
    pub(super) after: Option<Place>,
    /// `limit`: the most fixes of a page.
    pub(super) limit: u32,
    /// `format`.
    pub(super) format: Option<Format>,
}

/// The parameters of a stream. All others are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StreamQuery {
    /// `after`: the event after which to begin.
    pub(super) after: Option<Mark>,
}

impl StreamQuery {
    /// Reads a query as it came, by the rules of [`TrailQuery::parse`].
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let after = only(query, "after")?;
        let after = after.map(|text| Mark::parse(&text).ok_or(QueryError::AfterEvent)).transpose()?;
        Ok(Self { after })
    }
}

/// A parameter that breaks its rule, which the message names. It quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[cfg_attr(test, derive(strum::EnumIter))]
pub enum QueryError {
    /// It is no place in a job's order.
    #[error("`after` is a place in the trail, <epoch>.<seq>, as in `next`")]
    After,
    /// It is the id of no event.
    #[error("`after` is the id of an event, <epoch>.<seq> or <epoch>.<seq>.<k>")]
    AfterEvent,
    /// It is no number of fixes, or of jobs, of which there may be so many.
    #[error("`limit` is a whole number from 1 to {0}")]
    Limit(u32),
    /// It is no format.
    #[error("`format` is one of json, geojson, geojson-line and gpx")]
    Format,
    /// It is no job.
    #[error("`after` is the id of a job, as in `next`")]
    AfterJob,
    /// It is no state of which there is a list.
    #[error("`state` is `open`: other jobs are not listed")]
    State,
    /// It is no dispatch.
    #[error("`dispatchId` is 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
    Dispatch,
    /// It says neither yes nor nothing.
    #[error("`mine` has no value, or `true`")]
    Mine,
    /// One's own jobs are not listed by dispatch.
    #[error("`dispatchId` is not for one's own jobs: leave it out, or `mine`")]
    NotOfMine,
    /// Two values, and only one can be meant.
    #[error("`{0}` is there twice with different values")]
    Repeated(&'static str),
}

impl QueryError {
    /// The parameter that is to blame.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::After | Self::AfterEvent | Self::AfterJob => "after",
            Self::Limit(_) => "limit",
            Self::State => "state",
            Self::Dispatch | Self::NotOfMine => "dispatchId",
            Self::Mine => "mine",
            Self::Format => "format",
            Self::Repeated(name) => name,
        }
    }

    /// The stable code of what is wrong with it.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::After | Self::AfterEvent => "not_a_place",
            Self::Limit(_) => "out_of_range",
            Self::AfterJob | Self::Dispatch => "invalid_id",
            Self::State => "unknown_state",
            Self::Mine => "not_true",
            Self::NotOfMine => "not_of_mine",
            Self::Format => "unknown_format",
            Self::Repeated(_) => "repeated",
        }
    }
}

impl TrailQuery {
    /// Reads a query as it came. A parameter that is there and empty is an error rather than one that is not there.
    pub(super) fn parse(query: &str) -> Result<Self, QueryError> {
        let value = |name| only(query, name);
        let after = value("after")?.map(|text| Place::parse(&text).ok_or(QueryError::After)).transpose()?;
        let limit = value("limit")?
            .map(|text| limit(&text, LIMIT_MAX).ok_or(QueryError::Limit(LIMIT_MAX)))
            .transpose()?;
        let format =
            value("format")?.map(|text| Format::of_name(&text).ok_or(QueryError::Format)).transpose()?;
        Ok(Self { after, limit: limit.unwrap_or(LIMIT_MAX), format })
    }
}

fn limit(text: &str, max: u32) -> Option<u32> {
    // Digits alone: `u32` would also take a `+`.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|limit| digits && (1..=max).contains(limit))
}

/// The value of a parameter, which may be there more than once with the same one.
fn only<'a>(query: &'a str, name: &'static str) -> Result<Option<Cow<'a, str>>, QueryError> {
    let mut values =
        form_urlencoded::parse(query.as_bytes()).filter(|(given, _)| given == name).map(|(_, value)| value);
    let first = values.next();
    match values.find(|other| first.as_ref() != Some(other)) {
        Some(_) => Err(QueryError::Repeated(name)),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_asked_for_is_read() {
        let all = TrailQuery { after: None, limit: LIMIT_MAX, format: None };
        for query in ["", "&&=&", "After=x&LIMIT=0&page=2", "%FF=%FF"] {
            assert_eq!(TrailQuery::parse(query), Ok(all), "{query}");
        }
        let after = Place::parse("1700000000.12");
        let some = TrailQuery { after, limit: 1, format: Some(Format::GeoJsonLine) };
        for query in [
            "after=1700000000.12&limit=1&format=geojson-line",
            "format=geojson%2Dline&limit=01&after=1700000000%2E12&limit=01",
        ] {
            assert_eq!(TrailQuery::parse(query), Ok(some), "{query}");
        }
    }

    #[test]
    fn what_is_malformed_names_its_parameter() {
        for (query, error) in [
            ("after=", QueryError::After),
            ("after=1", QueryError::After),
            ("after=1.2.3", QueryError::After),
            ("after=1.2&after=1.3", QueryError::Repeated("after")),
            ("limit=", QueryError::Limit(LIMIT_MAX)),
            ("limit=0", QueryError::Limit(LIMIT_MAX)),
            ("limit=1001", QueryError::Limit(LIMIT_MAX)),
            ("limit=%2B1", QueryError::Limit(LIMIT_MAX)),
            ("limit=-1", QueryError::Limit(LIMIT_MAX)),
            ("limit=1e2", QueryError::Limit(LIMIT_MAX)),
            ("limit=99999999999", QueryError::Limit(LIMIT_MAX)),
            ("limit=1&limit=2", QueryError::Repeated("limit")),
            ("format=", QueryError::Format),
            ("format=GPX", QueryError::Format),
            ("format=csv", QueryError::Format),
            ("format=gpx&format=json", QueryError::Repeated("format")),
        ] {
            assert_eq!(TrailQuery::parse(query), Err(error), "{query}");
            assert!(error.to_string().contains(&format!("`{}`", error.parameter())));
        }
    }

    #[test]
    fn a_stream_begins_after_an_event() {
        for (query, after) in
            [("", None), ("after=9.1", Mark::parse("9.1")), ("after=9.0.2", Mark::parse("9.0.2"))]
        {
            assert_eq!(StreamQuery::parse(query), Ok(StreamQuery { after }), "{query}");
        }
        for query in ["after=", "after=9", "after=9.1.0", "after=9.1.1.1"] {
            assert_eq!(StreamQuery::parse(query), Err(QueryError::AfterEvent), "{query}");
        }
        assert_eq!(StreamQuery::parse("after=9.1&after=9.2"), Err(QueryError::Repeated("after")));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(query in ".*") {
            let _ = TrailQuery::parse(&query);
            let _ = StreamQuery::parse(&query);
        }
    }
}
