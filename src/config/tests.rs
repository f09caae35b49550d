//! Which settings are taken, and what is said of those that are not.

use super::*;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn variable(settings: &[(&str, &str)], name: &str) -> Option<String> {
    let base = [("ABLY_API_KEY", "app.key:secret"), ("SESSION_SECRET", SECRET)];
    let find = |list: &[(&str, &str)]| list.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
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
    assert_eq!((own.publish_key, own.max_fix_age_ms), (Key::parse("app.other:secret").unwrap(), 3_600_000));
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
    let misconfigured =
        load(&[("SESSION_SECRET", "hush"), ("ABLY_API_KEY", "hush"), ("CORS_ORIGINS", "https://a.example")]);
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
