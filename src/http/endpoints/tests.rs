//! Where paths lead, by the table.

use proptest::prelude::*;

use super::*;
use crate::ids::IdError;

const LOCATION: &str = "/api/jobs/{jobId}/location";

/// The template and the id of a path.
fn place(path: &str) -> Result<(&'static str, Option<String>), PathError> {
    find(path, "GET").map(|found| {
        let id = match found.handler {
            Some(Handler::Open(_) | Handler::Plain(_)) | None => None,
            Some(Handler::Job(_, job)) => Some(job.to_string()),
            Some(Handler::JobUser(_, job, user)) => Some(format!("{job} {user}")),
            Some(Handler::Ref(_, reference)) => Some(reference.to_string()),
            Some(Handler::User(_, user)) => Some(user.to_string()),
        };
        (found.endpoint.path, id)
    })
}

#[test]
fn the_table_is_in_order() {
    for endpoint in ENDPOINTS {
        let ids: Vec<_> = path::ids(endpoint.path, endpoint.path).collect();
        let wanted: &[&str] = match endpoint.handlers {
            Handlers::Open(_) | Handlers::Plain(_) => &[],
            Handlers::Job(_) => &["{jobId}"],
            Handlers::JobUser(_) => &["{jobId}", "{userId}"],
            Handlers::Ref(_) => &["{ref}"],
            Handlers::User(_) => &["{userId}"],
        };
        assert_eq!(ids, wanted, "{}", endpoint.path);
        let methods = endpoint.methods();
        let mut methods: Vec<_> = methods.split(", ").collect();
        for method in &methods {
            assert!(
                ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(method),
                "{method}"
            );
        }
        methods.sort();
        assert!(methods.is_sorted_by(|a, b| a < b), "{} answers a method twice", endpoint.path);
        let first = ENDPOINTS.iter().find(|other| path::matches(other.path, endpoint.path));
        assert_eq!(first.map(|first| first.path), Some(endpoint.path), "another comes before it");
    }
}

#[test]
fn a_method_that_there_is_not_changes_nothing_about_the_path() {
    assert!(find("/api/jobs/a/location", "PUT").unwrap().handler.is_none());
    assert!(find("/api/jobs/a/location", "HEAD").unwrap().handler.is_some());
    assert_eq!(find("/api/jobs/a:b/location", "PUT").err(), Some(PathError::Id(IdError::Job)));
}

#[test]
fn the_routes() {
    assert_eq!(place("/healthz"), Ok(("/healthz", None)));
    assert_eq!(place("/api/ably-token"), Ok(("/api/ably-token", None)));
    assert_eq!(place("/api/jobs"), Ok(("/api/jobs", None)));
    assert_eq!(place("/api/jobs/j-1/location"), Ok((LOCATION, Some("j-1".to_owned()))));
    let trail = "/api/jobs/{jobId}/locations";
    assert_eq!(place("/api/jobs/j-1/locations"), Ok((trail, Some("j-1".to_owned()))));
    let reference = "0123456789abcdef".repeat(4);
    assert_eq!(place(&format!("/api/refs/{reference}")), Ok(("/api/refs/{ref}", Some(reference))));
    let found = find("/api/users/auth0%7Cx/notifications", "POST").unwrap();
    assert!(matches!(found.handler, Some(Handler::User(_, user)) if user.as_str() == "auth0|x"));
}

#[test]
fn nothing_else_is_a_route() {
    for path in [
        "",
        "/",
        "/healthz/",
        "/HEALTHZ",
        "/api/ably-token/",
        "/api/jobs/a/b",
        "/api/jobs/a/location/",
        "/api/jobs/a/b/location",
        "/api/jobs//a/location",
        "//api/jobs/a/location",
        "/api/jobs/a/locations/",
        "/api/jobs/a/customers",
        "/api/jobs/a/customers/b/c",
        "/api/refs",
        "/api/refs/a/b",
        "/api/users",
        "/api/users/a",
        "/api/users/a/notifications/",
        "/api/users/a/b/notifications",
    ] {
        assert_eq!(place(path), Err(PathError::NotFound), "{path}");
    }
}

#[test]
fn a_user_id_is_decoded_once() {
    let user = |segment: &str| {
        let found = find(&format!("/api/jobs/j/customers/{segment}"), "PUT");
        found.map(|found| match found.handler {
            Some(Handler::JobUser(_, job, user)) => format!("{job} {user}"),
            _ => panic!("another handler"),
        })
    };
    for (segment, id) in
        [("ann", "ann"), ("auth0%7Cx", "auth0|x"), ("a%2540b", "a%40b"), ("a%40b.c", "a@b.c")]
    {
        assert_eq!(user(segment), Ok(format!("j {id}")), "{segment}");
    }
    for segment in ["", "%", "%4", "%4g", "a%2Fb", "a%20b", "%C3%A9", "%ff", "a:b", "a*"] {
        assert_eq!(user(segment), Err(PathError::Id(IdError::User)), "{segment}");
    }
    assert_eq!(find("/api/jobs/%61/customers/b", "PUT").err(), Some(PathError::EncodedId));
    for segment in ["", "%", "a%2Fb", "a%20b", "%ff", "a:b", "*"] {
        let path = format!("/api/users/{segment}/notifications");
        assert_eq!(place(&path), Err(PathError::Id(IdError::User)), "{path}");
    }
}

#[test]
fn an_id_is_taken_as_it_stands_or_not_at_all() {
    for path in
        ["/api/jobs/%61/location", "/api/jobs/a%2Fb/location", "/api/jobs/a%/location", "/api/refs/%61"]
    {
        assert_eq!(place(path), Err(PathError::EncodedId), "{path}");
    }
    for path in
        ["/api/jobs//location", "/api/jobs/a:b/location", "/api/jobs/../location", "/api/jobs/*/location"]
    {
        assert_eq!(place(path), Err(PathError::Id(IdError::Job)), "{path}");
    }
    for path in ["/api/refs/", "/api/refs/job-1"] {
        assert_eq!(place(path), Err(PathError::Id(IdError::Ref)), "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_makes_it_panic(path in ".*") {
        let _ = place(&path);
    }

    #[test]
    fn a_location_path_names_the_job_it_spells(id in "[A-Za-z0-9_-]{1,64}") {
        prop_assert_eq!(place(&format!("/api/jobs/{id}/location")), Ok((LOCATION, Some(id))));
    }
}
