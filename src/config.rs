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
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn variable(settings: &[(&str, &str)], name: &str) -> Option<String> {
        let base = [("ABLY_API_KEY", "app.key:secret"), ("SESSION_SECRET", SECRET)];
        let find =
            |list: &[(&str, &str)]| list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        find(settings).or_else(|| find(&base))
    }

    fn load(settings: &[(&str, &str)]) -> Result<Config, Misconfigured> {
        Config::load(&|name| variable(settings, name), &|name| name == UNKNOWN_JOBS)
    }

    fn load_job(settings: &[(&str, &str)]) -> Result<JobConfig, Vec<BadSetting>> {
        JobConfig::load(&|name| variable(settings, name))
    }

    fn refused(settings: &[(&str, &str)]) -> Vec<&'static str> {
        load(settings).map(|_| ()).unwrap_err().settings.iter().map(|bad| bad.variable).collect()
    }

    #[test]
    fn a_key_and_a_secret_are_enough() {
        let (config, job) = (load(&[]).unwrap(), load_job(&[]).unwrap());
        assert_eq!(job.publish_key, config.token_key);
        assert_eq!((job.max_fix_age_ms, job.trail_retention_ms), (86_400_000, 30 * 86_400_000));
        assert!(config.session_cookie.is_none());
        assert_eq!(config.job_registry, JobRegistry::On);
        for (text, mode) in [("off", JobRegistry::Off), ("required", JobRegistry::Required)] {
            assert_eq!(load(&[("JOB_REGISTRY", text)]).unwrap().job_registry, mode);
        }
        assert_eq!((config.jurisdiction, job.jurisdiction), (None, None));
        for text in ["eu", "fedramp", "us"] {
            let settings = [("OBJECT_JURISDICTION", text)];
            let both = (load(&settings).unwrap().jurisdiction, load_job(&settings).unwrap().jurisdiction);
            assert_eq!(both.0.map(Jurisdiction::as_str), Some(text));
            assert_eq!(both.1, both.0);
        }
        assert_eq!(config.pages.origins, Origins::default());
    }

    #[test]
    fn each_setting_is_checked_by_its_rule() {
        for (variable, values) in [
            ("ABLY_API_KEY", &["", "x", "a.b", "a.b:"][..]),
            ("ABLY_PUBLISH_KEY", &["x", "other.key:secret"]),
            ("ABLY_REST_URL", &["http://ably.example", "ftp://127.0.0.1", "x", "https://a.example/path"]),
            ("SESSION_SECRET", &["", "short"]),
            ("SESSION_SECRET_PREVIOUS", &["short"]),
            ("SESSION_COOKIE", &["a b", "a=b", "é"]),
            ("SESSION_MAX_HOURS", &["0", "-1", "+1", "1.5", "x", "721"]),
            ("SESSION_RENEWAL_SECONDS", &["-1", "x", "86401"]),
            ("JOB_REGISTRY", &["On", "true", "Required"]),
            ("OBJECT_JURISDICTION", &["EU", "eu ", "de", "none"]),
            ("TOKEN_REQUESTS", &["Off", "1"]),
            ("MAX_FIX_AGE_HOURS", &["0", "x"]),
            ("JOB_FIX_RATE", &["0", "-1", "1000001"]),
            ("JOB_FIX_BURST", &["99", "x"]),
            ("JOB_UNSENT_MAX", &["99", "x"]),
            ("JOB_TRAIL_MAX", &["99", "x"]),
            ("JOB_PUBLISH_RATE", &["0", "1001"]),
            ("JOB_MAX_HOURS", &["0", "8761"]),
            ("TRAIL_RETENTION_DAYS", &["0", "3651", "x"]),
            ("ABLY_PUBLISHING", &["Batched", "both"]),
            ("ABLY_PUBLISHERS", &["0", "65"]),
            ("ABLY_REQUESTS_PER_SECOND", &["0", "10001", "x"]),
            ("CORS_ORIGINS", &["*", "null", "https://a.example/"]),
            ("CORS_HEADERS", &["*", "a:b"]),
        ] {
            for value in values {
                assert_eq!(refused(&[(variable, value)]), [variable], "{value:?}");
            }
        }
    }

    #[test]
    fn where_the_registry_alone_decides_there_is_a_limit_to_what_is_asked() {
        for (mode, missing) in [("on", &[][..]), ("off", &[]), ("required", &[UNKNOWN_JOBS])] {
            let loaded = Config::load(&|name| variable(&[("JOB_REGISTRY", mode)], name), &|_| false);
            let bad = loaded.err().map(|wrong| wrong.settings).unwrap_or_default();
            assert_eq!(bad.iter().map(|bad| bad.variable).collect::<Vec<_>>(), missing, "{mode}");
        }
    }

    #[test]
    fn an_object_reads_what_it_needs_and_no_secret_of_the_sessions() {
        for (variable, value) in [
            ("ABLY_API_KEY", "x"),
            ("ABLY_PUBLISH_KEY", "other.key:secret"),
            ("ABLY_REST_URL", "http://ably.example"),
            ("MAX_FIX_AGE_HOURS", "0"),
        ] {
            let bad = load_job(&[(variable, value)]).unwrap_err();
            assert_eq!(bad.iter().map(|bad| bad.variable).collect::<Vec<_>>(), [variable]);
        }
        JobConfig::load(&|name| {
            assert!(!name.starts_with("SESSION") && !name.starts_with("CORS"), "{name}");
            variable(&[], name)
        })
        .unwrap();
        let own = load_job(&[("ABLY_PUBLISH_KEY", "app.other:secret"), ("MAX_FIX_AGE_HOURS", "1")]).unwrap();
        assert_eq!(
            (own.publish_key, own.max_fix_age_ms),
            (Key::parse("app.other:secret").unwrap(), 3_600_000)
        );
    }

    #[test]
    fn publishers_share_the_requests_of_the_account() {
        let publishing = |settings: &[(&str, &str)]| {
            let job = load_job(settings).unwrap();
            (job.publishing, job.pace)
        };
        assert_eq!(publishing(&[]), (Publishing::Direct, Pace { window: 80 }));
        assert_eq!(publishing(&[("ABLY_PUBLISHING", "direct")]).0, Publishing::Direct);
        let batched = ("ABLY_PUBLISHING", "batched");
        assert_eq!(publishing(&[batched]).0, Publishing::Batched(Publishers::new(4)));
        let [one, free] = [("ABLY_PUBLISHERS", "1"), ("ABLY_REQUESTS_PER_SECOND", "6")];
        assert_eq!(
            publishing(&[batched, one, free]),
            (Publishing::Batched(Publishers::new(1)), Pace { window: 167 })
        );
        assert_eq!(publishing(&[batched, free]).1, Pace { window: 667 });
        let slow = [("ABLY_PUBLISHERS", "9"), ("ABLY_REQUESTS_PER_SECOND", "4")];
        assert_eq!(refused(&slow), ["ABLY_REQUESTS_PER_SECOND"]);
    }

    #[test]
    fn a_session_secret_is_no_ably_secret() {
        let key = format!("app.key:{SECRET}");
        assert_eq!(refused(&[("ABLY_API_KEY", &key)]), ["SESSION_SECRET"]);
        let whole = "app.key:0123456789abcdef0123456789abcdef";
        let both = [("ABLY_PUBLISH_KEY", whole), ("SESSION_SECRET_PREVIOUS", whole)];
        assert_eq!(refused(&both), ["SESSION_SECRET", "SESSION_SECRET_PREVIOUS"]);
    }

    #[test]
    fn an_empty_optional_setting_is_one_that_is_not_set() {
        let empty: Vec<_> = [
            "ABLY_PUBLISH_KEY",
            "ABLY_REST_URL",
            "SESSION_SECRET_PREVIOUS",
            "SESSION_ISSUER",
            "SESSION_AUDIENCE",
            "SESSION_COOKIE",
            "SESSION_MAX_HOURS",
            "SESSION_RENEWAL_SECONDS",
            "JOB_REGISTRY",
            "TOKEN_REQUESTS",
            "MAX_FIX_AGE_HOURS",
            "CORS_ORIGINS",
            "CORS_HEADERS",
        ]
        .map(|name| (name, ""))
        .into();
        assert!(load(&empty).is_ok());
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_and_no_value_is() {
        let misconfigured = load(&[
            ("SESSION_SECRET", "hush"),
            ("ABLY_API_KEY", "hush"),
            ("CORS_ORIGINS", "https://a.example"),
        ]);
        let misconfigured = misconfigured.map(|_| ()).unwrap_err();
        assert_eq!(misconfigured.settings.len(), 2);
        assert!(!format!("{misconfigured:?}").contains("hush"));
        assert!(misconfigured.pages.origins.contain("https://a.example"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?} {:?}", load(&[]).unwrap(), load_job(&[]).unwrap());
        assert!(!shown.contains(SECRET) && !shown.contains(":secret"), "{shown}");
    }
}
