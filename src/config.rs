//! The service's settings, read once and checked as a whole: either all of them hold, or no route but `/healthz` answers.

mod jurisdiction;
mod pages;

use std::fmt;

use ably::rest::{Endpoint, Hosts};
use ably::{Key, Secret};

pub use self::jurisdiction::Jurisdiction;
pub use self::pages::{Origins, OriginsError, Pages, RequestHeaders, RequestHeadersError};
use crate::jobs::JobRegistry;
use crate::locations::limits::{Limits, PUBLISHES};
use crate::publishers::{Pace, Publishers, Publishing};
use crate::sessions::{CookieRules, RulesError, SessionRules, Verifier};

/// The settings of the front: who may ask, and what signs tokens. Those of the jobs' objects are checked with them, and kept by
/// the objects alone.
#[derive(Debug)]
pub struct Config {
    /// Verifies sessions.
    pub verifier: Verifier,
    /// How a session may come in a cookie, where there is no `Authorization` header.
    pub session_cookie: Option<CookieRules>,
    /// The key that signs tokens.
    pub token_key: Key,
    /// Who decides whether somebody takes part in a job.
    pub job_registry: JobRegistry,
    /// Where the objects are, if that is not left to the runtime.
    pub jurisdiction: Option<Jurisdiction>,
    /// Whether a TokenRequest is given to whoever asks for one.
    pub token_requests: bool,
    /// The pages that may call the service from another origin.
    pub pages: Pages,
    /// Whether the log tells a developer why a request is refused, and what to do.
    pub hints: bool,
}

/// The rate-limit binding in which each question about a job that is none of the asker's takes a place, where the registry alone decides.
pub const UNKNOWN_JOBS: &str = "UNKNOWN_JOBS";

/// The setting that says where the objects are.
pub const OBJECT_JURISDICTION: &str = "OBJECT_JURISDICTION";

/// The settings of a job's object: what accepting and publishing need, and no secret of the sessions.
#[derive(Debug)]
pub struct JobConfig {
    /// The key that signs tokens, and revokes them.
    pub token_key: Key,
    /// The key that publishes: the same unless a second is configured.
    pub publish_key: Key,
    /// Where Ably's REST API is.
    pub ably: Hosts,
    /// The oldest fix that is taken, in milliseconds between capture and acceptance.
    pub max_fix_age_ms: u64,
    /// What a job takes.
    pub limits: Limits,
    /// Whether jobs can be registered, and are listed.
    pub job_registry: JobRegistry,
    /// Whether anybody is given a TokenRequest.
    pub token_requests: bool,
    /// When a job ends by itself where nobody says when, in milliseconds after it was registered.
    pub longest_job_ms: u64,
    /// How long what a job keeps stays after its end, in milliseconds; where it is not registered, after its last fix.
    pub trail_retention_ms: u64,
    /// How long nothing is heard of the driver of a registered job until that is told, in milliseconds. Nothing where it never is.
    pub silent_after_ms: Option<u64>,
    /// How its messages leave.
    pub publishing: Publishing,
    /// How often one of the publishers asks Ably, where there are some.
    pub pace: Pace,
    /// Where the objects are, if that is not left to the runtime.
    pub jurisdiction: Option<Jurisdiction>,
    /// As [`Config::hints`].
    pub hints: bool,
}

/// A setting that is missing or wrong. It names the variable and the rule, never the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSetting {
    /// The variable.
    pub variable: &'static str,
    /// What it has to be.
    pub rule: String,
}

/// Why the service answers nothing but `misconfigured`.
#[derive(Debug)]
pub struct Misconfigured {
    /// Every setting that does not hold.
    pub settings: Vec<BadSetting>,
    /// The pages, where their origins are right: they must be able to read that the service is misconfigured.
    pub pages: Pages,
    /// As [`Config::hints`].
    pub hints: bool,
}

/// Reads variables and keeps what is wrong with them. An empty variable counts as one that is not set.
struct Reader<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
    bad: Vec<BadSetting>,
}

impl<'a> Reader<'a> {
    fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get, bad: Vec::new() }
    }

    fn optional<T, E: fmt::Display>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = (self.get)(variable).filter(|text| !text.is_empty())?;
        parse(&text).map_err(|rule| self.refuse(variable, rule.to_string())).ok()
    }

    fn required<T, E: fmt::Display>(
        &mut self,
        variable: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        if (self.get)(variable).is_none_or(|text| text.is_empty()) {
            self.refuse(variable, "is not set".to_owned());
        }
        self.optional(variable, parse)
    }

    fn number(&mut self, variable: &'static str, range: std::ops::RangeInclusive<u64>, default: u64) -> u64 {
        let parse = |text: &str| {
            let digits_only = text.bytes().all(|b| b.is_ascii_digit());
            let number = text.parse().ok().filter(|number| digits_only && range.contains(number));
            number.ok_or_else(|| format!("is a whole number from {} to {}", range.start(), range.end()))
        };
        self.optional(variable, parse).unwrap_or(default)
    }

    /// Whether this is a development set-up, whose log may say more. Off where nobody says so.
    fn hints(&mut self) -> bool {
        self.optional("DEV_HINTS", on_or_off).unwrap_or_default()
    }

    fn refuse(&mut self, variable: &'static str, rule: String) {
        self.bad.push(BadSetting { variable, rule });
    }
}

impl Config {
    /// Reads all settings from named variables, those of the jobs' objects included. `is_limit` says whether there is a rate-limit binding
    /// of a name.
    ///
    /// # Errors
    /// [`Misconfigured`] with every setting that does not hold, so that one look at the log is enough.
    pub fn load(
        get: &dyn Fn(&str) -> Option<String>,
        is_limit: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Misconfigured> {
        let mut reader = Reader::new(get);
        let origins = reader.optional("CORS_ORIGINS", Origins::parse).unwrap_or_default();
        let headers = reader.optional("CORS_HEADERS", RequestHeaders::parse).unwrap_or_default();
        let pages = Pages { origins, headers };
        let hints = reader.hints();
        let token_key = reader.required("ABLY_API_KEY", Key::parse);
        let job = JobConfig::read(&mut reader, token_key.as_ref(), hints);
        let secret = reader.required("SESSION_SECRET", any_secret);
        let previous_secret = reader.optional("SESSION_SECRET_PREVIOUS", any_secret);
        let issuer = reader.optional("SESSION_ISSUER", any_text);
        let audience = reader.optional("SESSION_AUDIENCE", any_text);
        let cookie_name = reader.optional("SESSION_COOKIE", cookie_name);
        if job.as_ref().is_some_and(|job| job.job_registry == JobRegistry::Required)
            && !is_limit(UNKNOWN_JOBS)
        {
            let rule = "is a rate-limit binding where JOB_REGISTRY is `required`, as wrangler.toml has it";
            reader.refuse(UNKNOWN_JOBS, rule.to_owned());
        }
        let max_hours = reader.number("SESSION_MAX_HOURS", 1..=24 * 30, 24);
        let renewal_seconds = reader.number("SESSION_RENEWAL_SECONDS", 0..=86_400, 300);

        for (variable, secret) in [("SESSION_SECRET", &secret), ("SESSION_SECRET_PREVIOUS", &previous_secret)]
        {
            let keys = token_key.iter().chain(job.as_ref().map(|job| &job.publish_key));
            let is_a_key = |secret: &Secret| {
                keys.into_iter().any(|key| secret == key.secret() || *secret == key.expose())
            };
            if secret.as_ref().is_some_and(is_a_key) {
                reader.refuse(variable, "is not the secret of an Ably key".to_owned());
            }
        }

        let verifier = secret.and_then(|secret| {
            let rules =
                SessionRules { secret, previous_secret, issuer, audience, max_hours, renewal_seconds };
            Verifier::new(rules).map_err(|error| reader.refuse(variable_of(error), error.to_string())).ok()
        });
        match (token_key, verifier, job) {
            (Some(token_key), Some(verifier), Some(job)) if reader.bad.is_empty() => Ok(Self {
                verifier,
                session_cookie: cookie_name
                    .map(|name| CookieRules { name, origins: pages.origins.as_slice().to_vec() }),
                token_key,
                job_registry: job.job_registry,
                jurisdiction: job.jurisdiction,
                token_requests: job.token_requests,
                pages,
                hints,
            }),
            _ => Err(Misconfigured { settings: reader.bad, pages, hints }),
        }
    }
}

impl JobConfig {
    /// Reads the settings of a job's object from named variables.
    ///
    /// # Errors
    /// Every one of them that does not hold.
    pub fn load(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<BadSetting>> {
        let mut reader = Reader::new(get);
        let hints = reader.hints();
        let token_key = reader.required("ABLY_API_KEY", Key::parse);
        match Self::read(&mut reader, token_key.as_ref(), hints) {
            Some(config) if reader.bad.is_empty() => Ok(config),
            _ => Err(reader.bad),
        }
    }

    /// Nothing where there is no key to publish with. The reader keeps what is wrong.
    fn read(reader: &mut Reader<'_>, token_key: Option<&Key>, hints: bool) -> Option<Self> {
        let publish_key = reader.optional("ABLY_PUBLISH_KEY", Key::parse);
        let ably = reader.optional("ABLY_REST_URL", Endpoint::parse).map_or_else(Hosts::ably, Hosts::only);
        let max_fix_age_hours = reader.number("MAX_FIX_AGE_HOURS", 1..=24 * 365, 24);
        let limits = Limits {
            rate: reader.number("JOB_FIX_RATE", 1..=1_000_000, 100),
            burst: reader.number("JOB_FIX_BURST", 100..=1_000_000, 30_000),
            unsent: reader.number("JOB_UNSENT_MAX", 100..=10_000_000, 100_000),
            // All of it has to fit into what recognises retries, in the memory of an isolate.
            trail: reader.number("JOB_TRAIL_MAX", 100..=2_000_000, 1_000_000),
            publishes: reader.number("JOB_PUBLISH_RATE", 1..=1_000, PUBLISHES),
        };
        let job_registry = reader.optional("JOB_REGISTRY", job_registry).unwrap_or_default();
        let token_requests = reader.optional("TOKEN_REQUESTS", on_or_off).unwrap_or(true);
        let max_job_hours = reader.number("JOB_MAX_HOURS", 1..=8_760, 72);
        let trail_retention_days = reader.number("TRAIL_RETENTION_DAYS", 1..=3_650, 30);
        let silent_after_seconds = reader.number("SILENT_AFTER_SECONDS", 0..=86_400, 60);
        let is_batched = reader.optional("ABLY_PUBLISHING", is_batched).unwrap_or_default();
        let publishers = reader.number("ABLY_PUBLISHERS", 1..=64, 4);
        let requests = reader.number("ABLY_REQUESTS_PER_SECOND", 1..=10_000, 50);
        let publishing = match is_batched {
            true => Publishing::Batched(Publishers::new(publishers)),
            false => Publishing::Direct,
        };
        let jurisdiction = reader.optional(OBJECT_JURISDICTION, Jurisdiction::parse);
        let pace = Pace::of(publishers, requests);
        if pace.is_too_slow() {
            let rule = "is at least half of ABLY_PUBLISHERS";
            reader.refuse("ABLY_REQUESTS_PER_SECOND", rule.to_owned());
        }
        if let (Some(token), Some(publish)) = (token_key, &publish_key)
            && token.name().app_id() != publish.name().app_id()
        {
            reader.refuse("ABLY_PUBLISH_KEY", "belongs to the same Ably app as ABLY_API_KEY".to_owned());
        }
        let token_key = token_key?.clone();
        let publish_key = publish_key.unwrap_or_else(|| token_key.clone());
        Some(Self {
            token_key,
            publish_key,
            ably,
            max_fix_age_ms: max_fix_age_hours * 3_600_000,
            limits,
            job_registry,
            token_requests,
            longest_job_ms: max_job_hours * 3_600_000,
            trail_retention_ms: trail_retention_days * 86_400_000,
            silent_after_ms: Some(silent_after_seconds * 1_000).filter(|ms| *ms > 0),
            publishing,
            pace,
            jurisdiction,
            hints,
        })
    }
}

fn variable_of(error: RulesError) -> &'static str {
    match error {
        RulesError::ShortSecret => "SESSION_SECRET",
        RulesError::ShortPreviousSecret => "SESSION_SECRET_PREVIOUS",
    }
}

fn any_secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn any_text(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

fn is_batched(text: &str) -> Result<bool, &'static str> {
    match text {
        "direct" => Ok(false),
        "batched" => Ok(true),
        _ => Err("is `direct` or `batched`"),
    }
}

fn job_registry(text: &str) -> Result<JobRegistry, &'static str> {
    match text {
        "on" => Ok(JobRegistry::On),
        "off" => Ok(JobRegistry::Off),
        "required" => Ok(JobRegistry::Required),
        _ => Err("is `on`, `off` or `required`"),
    }
}

fn on_or_off(text: &str) -> Result<bool, &'static str> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("is `on` or `off`"),
    }
}

/// A cookie's name is a token (RFC 6265, 4.1.1).
fn cookie_name(text: &str) -> Result<String, &'static str> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    if text.bytes().all(is_token) { Ok(text.to_owned()) } else { Err("is the name of a cookie") }
}

#[cfg(test)]
mod tests;
