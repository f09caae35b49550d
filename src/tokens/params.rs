//! What a client asks for when it asks for a token.

use std::borrow::Cow;

use ably::ErrorInfo;

use crate::ids::JobId;
use crate::sessions::carries_jwt;

/// The shortest lifetime that a client may ask for, in milliseconds: below it, a client does little but renew.
pub(super) const TTL_MIN_MS: u64 = 60_000;

/// So many jobs a client may name: the object of each is asked.
const TOKEN_JOBS_MAX: usize = 20;

/// In which form the client wants its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// An Ably JWT, which is a token by itself.
    #[default]
    Jwt,
    /// A TokenRequest, which the SDK exchanges with Ably: only where `format=token-request` says so. An `Accept` header means
    /// nothing, since ably-js sends the same one always.
    TokenRequest,
}

/// The parameters that mean something, from the query and the form together.
///
/// All else is ignored: what an SDK adds (`capability`, `timestamp`, `nonce`, `keyName`, `rnd`) and what nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenParams {
    /// `jobId`: leave out the channels of all other jobs than these, each of which is there once. Nothing where no job is named.
    pub jobs: Option<Vec<JobId>>,
    /// `format`.
    pub format: Format,
    /// `ttl`: the longest lifetime wanted, in milliseconds, at least 60 s.
    pub ttl_ms: Option<u64>,
    /// `clientId`: the user whom the client takes itself for. It is compared with the session, never believed.
    pub client_id: Option<String>,
}

impl TokenParams {
    /// Reads the query of the URL and, for a POST with that content type, the form-encoded body, both as they came. ably-js's
    /// `authParams` travel in either.
    ///
    /// A parameter may be there more than once, as it is when an `authUrl` and `authParams` both have it, but only with one value.
    /// An empty `clientId` is none; an empty `jobId` is an error rather than a token for all jobs.
    ///
    /// # Errors
    /// 400/40003, with a message that names the parameter and its rule, and quotes nothing.
    pub fn parse(query: Option<&str>, form: Option<&str>) -> Result<Self, ErrorInfo> {
        if form.is_some_and(carries_jwt) {
            return Err(bad("a session token is sent as `Authorization: Bearer`, never in a form"));
        }
        let mut wanted = Wanted::default();
        for text in [query, form].into_iter().flatten() {
            for (name, value) in form_urlencoded::parse(text.as_bytes()) {
                wanted.take(&name, value)?;
            }
        }
        let jobs = wanted.jobs.map(|text| parse_jobs(&text)).transpose()?;
        let ttl_ms = wanted.ttl.map(|ttl| parse_ttl(&ttl)).transpose()?;
        let format = match wanted.format.as_deref() {
            Some("token-request") => Format::TokenRequest,
            _ => Format::Jwt,
        };
        let client_id = wanted.client_id.filter(|id| !id.is_empty()).map(Cow::into_owned);
        Ok(Self { jobs, format, ttl_ms, client_id })
    }
}

/// The values as they came.
#[derive(Default)]
struct Wanted<'a> {
    jobs: Option<Cow<'a, str>>,
    format: Option<Cow<'a, str>>,
    ttl: Option<Cow<'a, str>>,
    client_id: Option<Cow<'a, str>>,
}

impl<'a> Wanted<'a> {
    fn take(&mut self, name: &str, value: Cow<'a, str>) -> Result<(), ErrorInfo> {
        let known = match name {
            "jobId" => &mut self.jobs,
            "format" => &mut self.format,
            "ttl" => &mut self.ttl,
            "clientId" => &mut self.client_id,
            _ => return Ok(()),
        };
        match known {
            Some(other) if *other != value => {
                Err(bad(format!("`{name}` is there twice with different values")))
            }
            _ => {
                *known = Some(value);
                Ok(())
            }
        }
    }
}

/// No id has a comma. One that is named twice counts once, but takes two of the places.
fn parse_jobs(text: &str) -> Result<Vec<JobId>, ErrorInfo> {
    let mut jobs = Vec::new();
    for (nth, id) in text.split(',').enumerate() {
        if nth == TOKEN_JOBS_MAX {
            return Err(bad(format!("`jobId` names at most {TOKEN_JOBS_MAX} jobs, separated by commas")));
        }
        let job = JobId::parse(id).map_err(|error| bad(format!("`jobId`: {error}")))?;
        if !jobs.contains(&job) {
            jobs.push(job);
        }
    }
    Ok(jobs)
}

fn parse_ttl(text: &str) -> Result<u64, ErrorInfo> {
    // Digits alone: `u64` would also take a `+`.
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let ttl = text.parse().ok().filter(|ttl| digits && *ttl >= TTL_MIN_MS);
    ttl.ok_or_else(|| {
        bad(format!("`ttl` is a whole number of milliseconds, at least {TTL_MIN_MS}; it can only shorten the token's life"))
    })
}

fn bad(message: impl Into<String>) -> ErrorInfo {
    ErrorInfo::new(40003, 400, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn query(text: &str) -> Result<TokenParams, ErrorInfo> {
        TokenParams::parse(Some(text), None)
    }

    #[test]
    fn what_means_something_is_read_from_query_and_form() {
        let all = TokenParams {
            jobs: Some(vec![JobId::parse("j1").unwrap()]),
            format: Format::TokenRequest,
            ttl_ms: Some(60_000),
            client_id: Some("auth0|ann".into()),
        };
        let text = "jobId=j1&format=token-request&ttl=60000&clientId=auth0%7Cann";
        assert_eq!(query(text), Ok(all.clone()));
        assert_eq!(TokenParams::parse(None, Some(text)), Ok(all.clone()));
        assert_eq!(TokenParams::parse(Some("jobId=j1&ttl=60000"), Some(text)), Ok(all.clone()));
        assert_eq!(
            TokenParams::parse(Some("format=token-request&ttl=60000"), Some("jobId=j1&clientId=auth0|ann")),
            Ok(all)
        );
        assert_eq!(TokenParams::parse(None, None), Ok(TokenParams::default()));
    }

    #[test]
    fn several_jobs_are_named_each_once_and_no_more_than_twenty() {
        let named = |text: &str| {
            let jobs = query(&format!("jobId={text}")).map(|params| params.jobs.unwrap());
            jobs.map(|jobs| jobs.into_iter().map(String::from).collect::<Vec<_>>().join(" "))
        };
        for (text, jobs) in [("b,a", "b a"), ("a%2Cb", "a b"), ("a,b,a", "a b"), ("A,a", "A a")] {
            assert_eq!(named(text), Ok(jobs.to_owned()), "{text}");
        }
        let many = |count: usize| (0..count).map(|n| format!("j{n}")).collect::<Vec<_>>();
        assert_eq!(named(&many(20).join(",")), Ok(many(20).join(" ")));
        let error = named(&many(21).join(",")).unwrap_err();
        assert_eq!((error.code, error.status_code), (40003, 400));
        assert!(error.message.contains("at most 20 jobs"), "{}", error.message);
    }

    #[test]
    fn all_else_is_ignored() {
        for text in [
            "",
            "&&=&==&",
            "rnd=0.8372652&capability=%7B%22*%22%3A%5B%22*%22%5D%7D&timestamp=1&nonce=abc&keyName=a.b&mac=x",
            "capability=&capability=x&timestamp=1&timestamp=2",
            "JobId=a%3Ab&jobid=*&job_id=",
            "format=jwt",
            "format=Token-Request",
            "format=",
            "clientId=",
            "%FF=%FF",
        ] {
            assert_eq!(query(text), Ok(TokenParams::default()), "{text}");
        }
    }

    #[test]
    fn what_is_malformed_or_contradicts_itself_is_a_400() {
        for (text, part) in [
            ("jobId=", "`jobId`: a job id is"),
            ("jobId", "`jobId`: a job id is"),
            ("jobId=a%3Ab", "`jobId`: a job id is"),
            ("jobId=*", "`jobId`: a job id is"),
            ("jobId=%252e%252e", "`jobId`: a job id is"),
            ("jobId=a+b", "`jobId`: a job id is"),
            ("jobId=%FF", "`jobId`: a job id is"),
            ("jobId=,", "`jobId`: a job id is"),
            ("jobId=a,", "`jobId`: a job id is"),
            ("jobId=,a", "`jobId`: a job id is"),
            ("jobId=a,,b", "`jobId`: a job id is"),
            ("jobId=a,+b", "`jobId`: a job id is"),
            ("jobId=a,b:c", "`jobId`: a job id is"),
            ("jobId=a;b", "`jobId`: a job id is"),
            ("jobId=a,b&jobId=b,a", "`jobId` is there twice"),
            ("jobId=a&jobId=b", "`jobId` is there twice"),
            ("jobId=a&jobId=a&jobId=", "`jobId` is there twice"),
            ("format=token-request&format=jwt", "`format` is there twice"),
            ("clientId=a&clientId=b", "`clientId` is there twice"),
            ("clientId=a&clientId=", "`clientId` is there twice"),
            ("ttl=60000&ttl=3600000", "`ttl` is there twice"),
            ("ttl=", "`ttl` is a whole number"),
            ("ttl=0", "`ttl` is a whole number"),
            ("ttl=59999", "`ttl` is a whole number"),
            ("ttl=-60000", "`ttl` is a whole number"),
            ("ttl=%2B60000", "`ttl` is a whole number"),
            ("ttl=60000.0", "`ttl` is a whole number"),
            ("ttl=6e5", "`ttl` is a whole number"),
            ("ttl=0xfffff", "`ttl` is a whole number"),
            ("ttl=+60000", "`ttl` is a whole number"),
            ("ttl=99999999999999999999", "`ttl` is a whole number"),
            ("ttl=NaN", "`ttl` is a whole number"),
            ("ttl=null", "`ttl` is a whole number"),
        ] {
            let error = query(text).expect_err(text);
            assert_eq!((error.code, error.status_code), (40003, 400), "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
        }
    }

    #[test]
    fn query_and_form_may_not_contradict_each_other() {
        let error = TokenParams::parse(Some("jobId=a"), Some("jobId=b")).unwrap_err();
        assert_eq!((error.code, error.status_code), (40003, 400));
    }

    #[test]
    fn a_session_token_in_a_form_is_refused() {
        let form = "token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl";
        let error = TokenParams::parse(None, Some(form)).unwrap_err();
        assert_eq!((error.code, error.status_code), (40003, 400));
        assert!(!error.message.contains("eyJ"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(query in ".*", form in ".*") {
            let _ = TokenParams::parse(Some(&query), Some(&form));
        }
    }
}
