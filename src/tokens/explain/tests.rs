//! Whether an explanation says what a token does, and what it says beside that.

use std::collections::BTreeMap;
use std::rc::Rc;

use ably::{Capability, Key};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::sessions::Session;
use crate::tokens::policy::tests::{IDS, any_session, channels, compile, policy_text};
use crate::tokens::{Draft, Issued, TokenParams};

const NOW: Millis = 1_700_000_000_500;

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn jobs(ids: &[&str]) -> Vec<JobId> {
    ids.iter().map(|id| JobId::parse(*id).unwrap()).collect()
}

fn admission(standing: Standing, until: Option<Millis>) -> Admission {
    Admission { standing, until, not_before: None }
}

/// What each job's object says, of whoever asks.
type Words = BTreeMap<JobId, Admission>;

fn explained(
    question: &Question,
    policy: &Policy,
    registry: JobRegistry,
    words: &Words,
) -> (Explanation, bool) {
    match question.examine(policy, registry) {
        Finding::Explained(explanation) => (explanation, false),
        Finding::Asks(pending) => {
            assert_eq!((&pending.viewer.user, pending.viewer.role), (&question.user, question.role));
            let word = words[&pending.job];
            (pending.explain(word, NOW), true)
        }
    }
}

/// What a token has that the user asks for now: for the job of the channel by name, where the registry alone decides.
fn token(
    session: &Session,
    policy: &'static Policy,
    registry: JobRegistry,
    job: Option<&JobId>,
    words: &Words,
) -> Option<Capability> {
    let key = Key::parse("AbCdEf.GhIjKl:mySecretKey0123456789").unwrap();
    let named = job.filter(|_| registry.alone_lets_in(session.role)).map(|job| vec![job.clone()]);
    let params = TokenParams { jobs: named, ..TokenParams::default() };
    let draft = Draft::new(&key, policy, Rc::new(session.clone()), params, registry, NOW as u64).ok()?;
    let issued = if registry == JobRegistry::Off || draft.jobs().is_empty() {
        draft.issue(&key, NOW as u64, String::new)
    } else {
        let words: Vec<_> = draft.jobs().iter().map(|job| words[job]).collect();
        draft.issue_admitted(&key, &words, NOW as u64, String::new)
    };
    let Issued::Jwt(jwt) = issued.ok()? else { panic!("another form") };
    let claims = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    Some(Capability::parse(claims["x-ably-capability"].as_str().unwrap()).unwrap())
}

fn word() -> impl Strategy<Value = Admission> {
    let standing = prop::sample::select(vec![
        Standing::Admitted,
        Standing::Admitted,
        Standing::Waiting,
        Standing::Refused,
        Standing::Foreign,
    ]);
    let until =
        prop_oneof![Just(None), Just(Some(NOW + 60_000)), Just(Some(NOW + 400)), Just(Some(NOW + 501))];
    (standing, until).prop_map(|(standing, until)| admission(standing, until))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// For any policy that builds, whoever asks, and whatever the jobs say.
    #[test]
    fn an_explanation_says_what_a_token_does(
        (text, policy) in policy_text().prop_filter_map("builds", |text| Some((text.clone(), compile(&text)?))),
        session in any_session(),
        registry in prop::sample::select(vec![JobRegistry::On, JobRegistry::Off, JobRegistry::Required]),
        words in prop::collection::vec(word(), IDS.len()),
    ) {
        let policy: &'static Policy = Box::leak(Box::new(policy));
        let session = Session { expires_at: NOW as u64 / 1_000 + 3_600, ..session };
        let words: Words = jobs(IDS).into_iter().zip(words).collect();
        let mut tokens: BTreeMap<Option<JobId>, Option<Capability>> = BTreeMap::new();
        for channel in channels() {
            let channel = channel.join(":");
            for operation in [Operation::Subscribe, Operation::PushSubscribe] {
                let Session { user, role, jobs, .. } = session.clone();
                let question = Question { user, role, jobs, channel: channel.clone(), operation };
                let (said, was_asked) = explained(&question, policy, registry, &words);
                let named = said.job.clone().filter(|_| registry.alone_lets_in(role));
                let granted = tokens
                    .entry(named.clone())
                    .or_insert_with(|| token(&session, policy, registry, named.as_ref(), &words));
                let allowed = granted.as_ref().is_some_and(|granted| granted.allows(&channel, operation));
                prop_assert_eq!(said.allowed, allowed, "{:?} {:?} {}", question, said, text);
                match said.rule {
                    Some(Rule { line, .. }) => {
                        let line = text.lines().nth(line as usize - 1).unwrap();
                        prop_assert!(line.contains(&format!("[\"{}\"]", operation.as_str())), "{}", line);
                    }
                    None => prop_assert_eq!((said.allowed, said.decided_by), (false, DecidedBy::Policy)),
                }
                let is_asked_for = matches!(said.decided_by, DecidedBy::Registry | DecidedBy::Closed);
                prop_assert!(was_asked || !is_asked_for, "{:?}", said);
                prop_assert!(!was_asked || said.job.is_some());
            }
        }
    }
}

/// The line of the repository's policy that begins so, after the heading of a role.
fn line_of(role: &str, begins: &str) -> u32 {
    let text = include_str!("../../../policy.toml");
    let lines = (1..).zip(text.lines()).skip_while(|(_, line)| *line != format!("[{role}]"));
    let (line, _) = lines.into_iter().find(|(_, line)| line.starts_with(begins)).unwrap();
    line
}

#[test]
fn each_answer_has_its_reason() {
    let (on, off, required) = (JobRegistry::On, JobRegistry::Off, JobRegistry::Required);
    let admitted = admission(Standing::Admitted, Some(NOW + 60_000));
    let claimed = admission(Standing::Admitted, None);
    let says = |standing| admission(standing, Some(NOW + 60_000));
    let (policy, claim, by_registry, closed) =
        (DecidedBy::Policy, DecidedBy::Claim, DecidedBy::Registry, DecidedBy::Closed);
    let job = "\"dispatch:job:{jobId}\"";
    for (role, listed, registry, channel, word, expected, rule) in [
        ("driver", &["j"][..], on, "dispatch:job:j", admitted, (true, by_registry), Some(job)),
        ("driver", &["j"], on, "dispatch:job:j", claimed, (true, claim), Some(job)),
        ("customer", &["j"], on, "dispatch:job:j", says(Standing::Waiting), (false, by_registry), Some(job)),
        ("customer", &["j"], on, "dispatch:job:j", says(Standing::Foreign), (false, by_registry), Some(job)),
        ("customer", &["j"], on, "dispatch:job:j", says(Standing::Refused), (false, closed), Some(job)),
        (
            "customer",
            &["j"],
            on,
            "dispatch:job:j",
            says(Standing::Gated),
            (false, DecidedBy::Gate),
            Some(job),
        ),
        ("driver", &["k"], on, "dispatch:job:j", admitted, (false, claim), Some(job)),
        ("driver", &["j"], off, "dispatch:job:j", says(Standing::Refused), (true, claim), Some(job)),
        ("driver", &[], off, "dispatch:job:j", admitted, (false, claim), Some(job)),
        ("driver", &[], required, "dispatch:job:j", admitted, (true, by_registry), Some(job)),
        ("customer", &["j"], required, "dispatch:job:j", Admission::FOREIGN, (false, by_registry), Some(job)),
        (
            "dispatcher",
            &[],
            on,
            "dispatch:job:j",
            says(Standing::Refused),
            (true, policy),
            Some("\"dispatch:job:*\""),
        ),
        ("admin", &[], required, "dispatch:job:j", claimed, (true, policy), Some("\"dispatch:job:*\"")),
        ("service", &["j"], on, "dispatch:job:j", admitted, (false, policy), None),
        ("driver", &["j"], on, "dispatch:job:j:x", admitted, (false, policy), None),
        (
            "driver",
            &[],
            on,
            "notifications:user:u",
            admitted,
            (true, policy),
            Some("\"notifications:user:{userId}\""),
        ),
        ("driver", &[], on, "notifications:user:v", admitted, (false, policy), None),
        (
            "dispatcher",
            &[],
            on,
            "presence:dispatch:west",
            admitted,
            (true, policy),
            Some("\"presence:dispatch:*\""),
        ),
        ("customer", &[], on, "presence:dispatch", admitted, (false, policy), None),
        ("admin", &[], on, "admin:ops", admitted, (true, policy), Some("\"admin:ops\"")),
        ("dispatcher", &[], on, "admin:ops", admitted, (false, policy), None),
        ("admin", &[], on, "[meta]admin:ops", admitted, (false, policy), None),
    ] {
        let question = Question {
            user: user("u"),
            role: Role::parse(role).unwrap(),
            jobs: jobs(listed),
            channel: channel.to_owned(),
            operation: Operation::Subscribe,
        };
        let words: Words = jobs(&["j"]).into_iter().map(|job| (job, word)).collect();
        let (said, _) = explained(&question, Policy::compiled(), registry, &words);
        let rule = rule.map(|begins| Rule { file: "policy.toml", line: line_of(role, begins) });
        assert_eq!(((said.allowed, said.decided_by), said.rule), (expected, rule), "{question:?}");
        let of_job = (channel == "dispatch:job:j").then(|| jobs(&["j"]).remove(0));
        assert_eq!(said.job, of_job, "{channel}");
    }
}

#[test]
fn an_operation_that_is_not_granted_is_no_rules_matter() {
    let question = Question {
        user: user("u"),
        role: Role::Driver,
        jobs: jobs(&["j"]),
        channel: "dispatch:job:j".to_owned(),
        operation: Operation::Publish,
    };
    let (said, was_asked) = explained(&question, Policy::compiled(), JobRegistry::On, &Words::new());
    let expected = json!({"allowed": false, "decidedBy": "policy", "rule": null, "job": "j"});
    assert_eq!((serde_json::to_value(said).unwrap(), was_asked), (expected, false));
}

#[test]
fn a_question_is_read_strictly() {
    let good = json!({"userId": "u", "role": "driver", "jobs": ["a", "a"], "channel": "c", "operation": "subscribe"});
    let parse = |body: &Value| Question::parse(body.to_string().as_bytes());
    let question = parse(&good).unwrap();
    assert_eq!((question.jobs, question.operation), (jobs(&["a"]), Operation::Subscribe));
    for (field, value, reason) in [
        ("userId", json!("a:b"), "invalid_id"),
        ("userId", json!(1), "wrong_type"),
        ("role", json!("Driver"), "out_of_range"),
        ("jobs", json!("a"), "wrong_type"),
        ("jobs", json!(["a:b"]), "invalid_id"),
        ("jobs", json!(vec!["a"; SESSION_JOBS_MAX + 1]), "out_of_range"),
        ("channel", json!(""), "out_of_range"),
        ("channel", json!("x".repeat(CHANNEL_MAX + 1)), "out_of_range"),
        ("operation", json!("*"), "out_of_range"),
        ("operation", json!("fly"), "out_of_range"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let error = parse(&body).unwrap_err();
        assert_eq!((error.field(), error.reason()), (Some(field), reason), "{body}");
    }
    let mut more = good;
    more["ttl"] = json!(1);
    assert_eq!(parse(&more).unwrap_err().reason(), "unknown_member");
}

#[test]
fn what_is_written_down_twice_is_the_same() {
    assert_eq!(FILE, ::policy::FILE);
    let operations: Vec<_> = Operation::ALL.iter().map(|operation| operation.as_str()).collect();
    assert_eq!(OPERATION.rule, format!("is one of {}", operations.join(", ")));
    assert_eq!(ROLE.rule, format!("is one of {}", Role::names()));
    assert_eq!(USER.rule, crate::ids::IdError::User.to_string().replace("a user id is", "is a user id:"));
    assert!(
        JOBS.rule.contains(&SESSION_JOBS_MAX.to_string()) && CHANNEL.rule.contains(&CHANNEL_MAX.to_string())
    );
}
