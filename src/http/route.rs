//! Paths: the one function that takes them apart, for all routes.

use thiserror::Error;

use crate::ids::{IdError, JobId, JobRef};

/// Where a request goes, with its ids parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// `/healthz`
    Healthz,
    /// `/api/ably-token`
    AblyToken,
    /// `/api/jobs/{jobId}/location`
    Location(JobId),
    /// `/api/refs/{ref}`
    Ref(JobRef),
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RouteError {
    /// There is no such route.
    #[error("there is no such route")]
    NotFound,
    /// Ids hold no character that needs encoding, and are never decoded: two spellings would be two ids.
    #[error("ids in a path are never percent-encoded")]
    EncodedId,
    /// An id breaks its rule.
    #[error(transparent)]
    Id(#[from] IdError),
}

impl Route {
    /// What a page may try where there is no route, or none with that method, so that it can read as much.
    pub const ANY_METHOD: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

    /// Parses the path of a request, as the URL standard leaves it: it starts with `/`, and has no query.
    ///
    /// # Errors
    /// [`RouteError`], which says what is wrong without quoting the path.
    pub fn parse(path: &str) -> Result<Self, RouteError> {
        match path {
            "/healthz" => return Ok(Self::Healthz),
            "/api/ably-token" => return Ok(Self::AblyToken),
            _ => {}
        }
        if let Some(reference) = path.strip_prefix("/api/refs/") {
            return Ok(Self::Ref(JobRef::parse(segment(reference)?)?));
        }
        let job = path.strip_prefix("/api/jobs/").and_then(|rest| rest.strip_suffix("/location"));
        Ok(Self::Location(JobId::parse(segment(job.ok_or(RouteError::NotFound)?)?)?))
    }

    /// The route's template: what a log may say of a path.
    pub fn template(&self) -> &'static str {
        match self {
            Self::Healthz => "/healthz",
            Self::AblyToken => "/api/ably-token",
            Self::Location(_) => "/api/jobs/{jobId}/location",
            Self::Ref(_) => "/api/refs/{ref}",
        }
    }

    /// Whether the route answers this method.
    pub fn answers(&self, method: &str) -> bool {
        self.methods().split(", ").any(|answered| answered == method)
    }

    /// The methods that the route answers, for `Allow`.
    pub fn methods(&self) -> &'static str {
        match self {
            Self::Healthz => "GET, HEAD",
            Self::Ref(_) => "GET, HEAD, OPTIONS",
            Self::AblyToken | Self::Location(_) => "GET, HEAD, POST, OPTIONS",
        }
    }
}

/// What stands in the place of an id: one segment, as it came.
fn segment(text: &str) -> Result<&str, RouteError> {
    match text {
        _ if text.contains('/') => Err(RouteError::NotFound),
        _ if text.contains('%') => Err(RouteError::EncodedId),
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_routes() {
        assert_eq!(Route::parse("/healthz"), Ok(Route::Healthz));
        assert_eq!(Route::parse("/api/ably-token"), Ok(Route::AblyToken));
        assert_eq!(Route::parse("/api/jobs/j-1/location"), Ok(Route::Location(JobId::parse("j-1").unwrap())));
        let reference = "0123456789abcdef".repeat(4);
        let route = Route::parse(&format!("/api/refs/{reference}"));
        assert_eq!(route, Ok(Route::Ref(JobRef::parse(reference).unwrap())));
    }

    #[test]
    fn nothing_else_is_a_route() {
        for path in [
            "",
            "/",
            "/healthz/",
            "/HEALTHZ",
            "/api/ably-token/",
            "/api/jobs",
            "/api/jobs/",
            "/api/jobs/a",
            "/api/jobs/a/location/",
            "/api/jobs/a/b/location",
            "/api/jobs//a/location",
            "//api/jobs/a/location",
            "/api/jobs/a/locations",
            "/api/jobs/location",
            "/api/refs",
            "/api/refs/a/b",
        ] {
            assert_eq!(Route::parse(path), Err(RouteError::NotFound), "{path}");
        }
    }

    #[test]
    fn an_id_is_taken_as_it_stands_or_not_at_all() {
        for path in
            ["/api/jobs/%61/location", "/api/jobs/a%2Fb/location", "/api/jobs/a%/location", "/api/refs/%61"]
        {
            assert_eq!(Route::parse(path), Err(RouteError::EncodedId), "{path}");
        }
        for path in
            ["/api/jobs//location", "/api/jobs/a:b/location", "/api/jobs/../location", "/api/jobs/*/location"]
        {
            assert_eq!(Route::parse(path), Err(RouteError::Id(IdError::Job)), "{path}");
        }
        for path in ["/api/refs/", "/api/refs/job-1"] {
            assert_eq!(Route::parse(path), Err(RouteError::Id(IdError::Ref)), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(path in ".*") {
            let _ = Route::parse(&path);
        }

        #[test]
        fn a_location_path_names_the_job_it_spells(id in "[A-Za-z0-9_-]{1,64}") {
            let route = Route::parse(&format!("/api/jobs/{id}/location"));
            prop_assert_eq!(route, Ok(Route::Location(JobId::parse(id).unwrap())));
        }
    }
}
