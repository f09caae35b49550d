//! What the repository's policy grants, and what no policy may grant.

use proptest::prelude::*;

use super::*;
use crate::sessions::Beside;

fn user(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}

fn job(text: &str) -> JobId {
    JobId::parse(text).unwrap()
}

fn session(role: Role, user_id: &str, jobs: &[&str]) -> Session {
    let jobs = jobs.iter().map(|id| job(id)).collect();
    Session { user: user(user_id), role, jobs, expires_at: 0, beside: Beside::default() }
}

fn granted(role: Role, jobs: &[&str], narrow: Option<&str>) -> Result<(String, Option<String>), Refusal> {
    let session = session(role, "u", jobs);
    let narrow: Option<Vec<_>> = narrow.map(|ids| ids.split(',').map(job).collect());
    Policy::compiled()
        .grant(&session, &session.jobs, narrow.as_deref())
        .map(|granted| (granted.capability.to_string(), granted.job.map(String::from)))
}

#[test]
fn each_role_gets_what_the_policy_says() {
    for (role, jobs, narrow, capability, only_job) in [
        (
            Role::Driver,
            &["j1", "j2"][..],
            None,
            r#"{"dispatch:job:j1":["subscribe"],"dispatch:job:j2":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence"]}"#,
            None,
        ),
        (
            Role::Driver,
            &["j1", "j2"],
            Some("j2"),
            r#"{"dispatch:job:j2":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence"]}"#,
            Some("j2"),
        ),
        (
            Role::Driver,
            &[],
            None,
            r#"{"notifications:user:u":["subscribe"],"presence:dispatch":["presence"]}"#,
            None,
        ),
        (
            Role::Customer,
            &["j1"],
            None,
            r#"{"dispatch:job:j1":["subscribe"],"notifications:user:u":["subscribe"]}"#,
            Some("j1"),
        ),
        (
            Role::Dispatcher,
            &["j1"],
            None,
            r#"{"dispatch:job:*":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence","subscribe"],"presence:dispatch:*":["presence","subscribe"]}"#,
            None,
        ),
        (
            Role::Dispatcher,
            &[],
            Some("j9"),
            r#"{"dispatch:job:j9":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence","subscribe"],"presence:dispatch:*":["presence","subscribe"]}"#,
            Some("j9"),
        ),
        (
            Role::Driver,
            &["j1", "j2", "j3"],
            Some("j3,j9,j1"),
            r#"{"dispatch:job:j1":["subscribe"],"dispatch:job:j3":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence"]}"#,
            None,
        ),
        (
            Role::Dispatcher,
            &[],
            Some("j9,j8"),
            r#"{"dispatch:job:j8":["subscribe"],"dispatch:job:j9":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence","subscribe"],"presence:dispatch:*":["presence","subscribe"]}"#,
            None,
        ),
        (
            Role::Admin,
            &[],
            Some("j9"),
            r#"{"admin:ops":["subscribe"],"dispatch:job:j9":["subscribe"],"notifications:user:u":["subscribe"],"presence:dispatch":["presence","subscribe"],"presence:dispatch:*":["presence","subscribe"]}"#,
            Some("j9"),
        ),
    ] {
        let expected = Ok((capability.to_owned(), only_job.map(str::to_owned)));
        assert_eq!(granted(role, jobs, narrow), expected, "{role:?} {jobs:?} {narrow:?}");
    }
}

#[test]
fn a_foreign_job_is_refused_whatever_else_would_be_left() {
    assert_eq!(granted(Role::Driver, &["j1"], Some("j2")), Err(Refusal::ForeignJob));
    assert_eq!(granted(Role::Driver, &["j1"], Some("J1")), Err(Refusal::ForeignJob));
    assert_eq!(granted(Role::Customer, &[], Some("j1")), Err(Refusal::ForeignJob));
    assert_eq!(granted(Role::Driver, &["j1"], Some("j2,j3")), Err(Refusal::ForeignJob));
    assert_eq!(granted(Role::Driver, &["j1"], Some("j2,j1")), granted(Role::Driver, &["j1"], Some("j1")));
    assert_eq!(granted(Role::Service, &["j1"], None), Err(Refusal::Service));
    assert_eq!(granted(Role::Service, &["j1"], Some("j1")), Err(Refusal::Service));
}

#[test]
fn a_refusal_is_ablys_40160_with_403() {
    for refusal in [Refusal::ForeignJob, Refusal::Nothing, Refusal::Service] {
        let error = ErrorInfo::from(refusal);
        assert_eq!((error.code, error.status_code), (40160, 403));
    }
}

/// The runtime form of a policy's text, as the build makes it; nothing where the check refuses the text.
pub(in crate::tokens) fn compile(text: &str) -> Option<Policy> {
    let checked = ::policy::Policy::parse(text).ok()?;
    let grants = |role| -> &'static [Grant] {
        let grants: Vec<_> = checked.grants_of(role).map(runtime_grant).collect();
        Box::leak(grants.into_boxed_slice())
    };
    Some(Policy {
        driver: grants(::policy::Role::Driver),
        dispatcher: grants(::policy::Role::Dispatcher),
        customer: grants(::policy::Role::Customer),
        admin: grants(::policy::Role::Admin),
    })
}

fn runtime_grant(grant: &::policy::Grant) -> Grant {
    let segment = |segment: &::policy::Segment| match segment {
        ::policy::Segment::Literal(text) => Segment::Literal(Box::leak(text.clone().into_boxed_str())),
        ::policy::Segment::Wildcard => Segment::Wildcard,
        ::policy::Segment::UserId => Segment::UserId,
        ::policy::Segment::JobId => Segment::JobId,
    };
    Grant {
        channel: Box::leak(grant.pattern.segments().iter().map(segment).collect()),
        operations: Box::leak(grant.operations.clone().into_boxed_slice()),
        line: u32::try_from(grant.line).unwrap(),
    }
}

#[test]
fn the_policy_and_the_sessions_have_the_same_roles() {
    let with_tokens = Role::ALL.iter().filter(|role| **role != Role::Service).map(|role| role.as_str());
    assert!(with_tokens.eq(::policy::Role::ALL.iter().map(|role| role.as_str())));
}

#[test]
fn a_role_without_channels_gets_no_token() {
    let policy = compile("[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n").unwrap();
    let grant = |role, narrow: Option<&[JobId]>| policy.grant(&session(role, "u", &[]), &[], narrow);
    assert_eq!(grant(Role::Admin, None), Err(Refusal::Nothing));
    assert_eq!(grant(Role::Driver, None), Err(Refusal::Nothing));
    assert_eq!(grant(Role::Driver, Some(&[job("j")])), Err(Refusal::ForeignJob));
}

#[test]
fn of_the_jobs_that_are_left_out_no_channel_is_left() {
    let of = |policy: &Policy, role, jobs: &[&str]| {
        let left: Vec<_> = jobs.iter().map(|id| job(id)).collect();
        let session = session(role, "u", &["j1", "j2", "j3"]);
        policy
            .grant_of(&session, &left.iter().collect::<Vec<_>>())
            .map(|granted| (granted.capability.to_string(), granted.job.map(String::from)))
    };
    let default = Policy::compiled();
    let both = r#"{"dispatch:job:j1":["subscribe"],"dispatch:job:j3":["subscribe"],"notifications:user:u":["subscribe"]}"#;
    assert_eq!(of(default, Role::Customer, &["j1", "j3"]), Ok((both.to_owned(), None)));
    assert_eq!(of(default, Role::Customer, &["j2"]), granted(Role::Customer, &["j1", "j2"], Some("j2")));
    assert_eq!(of(default, Role::Driver, &[]), granted(Role::Driver, &[], None));
    let policy =
        compile("[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n\"a:{jobId}:b\" = [\"publish\"]\n").unwrap();
    let two = r#"{"a:j1":["subscribe"],"a:j1:b":["publish"]}"#;
    assert_eq!(of(&policy, Role::Driver, &["j1"]), Ok((two.to_owned(), Some("j1".to_owned()))));
    assert_eq!(of(&policy, Role::Driver, &[]), Err(Refusal::Nothing));
}

#[test]
fn a_policy_names_jobs_for_drivers_and_customers_alone() {
    let named = |policy: &Policy| {
        Role::ALL.iter().copied().filter(|role| policy.names_jobs(*role)).collect::<Vec<_>>()
    };
    assert_eq!(named(Policy::compiled()), [Role::Driver, Role::Customer]);
    let policy = compile(
        "[driver]\n\"a:{jobId}\" = [\"subscribe\"]\n[customer]\n\"b:{userId}\" = [\"subscribe\"]\n[admin]\n\"a:{jobId}\" = [\"subscribe\"]\n",
    );
    assert_eq!(named(&policy.unwrap()), [Role::Driver]);
}

#[test]
fn narrowing_reaches_every_template_below_a_wildcard() {
    let policy = compile(
        "[driver]\n\"t:{jobId}\" = [\"subscribe\"]\n\"t:{jobId}:crew\" = [\"publish\"]\n[admin]\n\"t:*\" = [\"subscribe\"]\n\"t:info:board\" = [\"history\"]\n",
    );
    // `t:info:board` is reached by no template: an id is one segment, and `crew` is not `board`.
    let policy = policy.unwrap();
    let granted = policy.grant(&session(Role::Admin, "u", &[]), &[], Some(&[job("7")])).unwrap();
    assert_eq!(
        granted.capability.to_string(),
        r#"{"t:7":["subscribe"],"t:7:crew":["subscribe"],"t:info:board":["history"]}"#
    );
    assert_eq!(granted.job, Some(job("7")));
}

/// Whether a channel is one of a pattern's, by the policy's own words: a placeholder is one segment and one of these ids.
fn reaches(pattern: &[Segment], channel: &[&str], users: &[&str], jobs: &[&str]) -> bool {
    match (pattern.split_first(), channel.split_first()) {
        (None, None) => true,
        (Some((Segment::Wildcard, [])), Some(_)) => true,
        (Some((segment, pattern)), Some((name, channel))) => {
            let here = match segment {
                Segment::Literal(text) => text == name,
                Segment::Wildcard => true,
                Segment::UserId => users.contains(name),
                Segment::JobId => jobs.contains(name),
            };
            here && reaches(pattern, channel, users, jobs)
        }
        _ => false,
    }
}

/// Ids that imitate the other segments of channels, and each other.
pub(in crate::tokens) const IDS: &[&str] = &["a", "b", "job"];
const NAMESPACES: &[&str] = &["dispatch", "x"];

/// Every channel of up to four segments over these.
pub(in crate::tokens) fn channels() -> Vec<Vec<&'static str>> {
    let mut all: Vec<Vec<_>> = NAMESPACES.iter().map(|namespace| vec![*namespace]).collect();
    let mut longest = all.clone();
    for _ in 0..3 {
        let longer =
            longest.iter().flat_map(|channel| IDS.iter().map(|id| [channel.as_slice(), &[*id]].concat()));
        longest = longer.collect();
        all.extend(longest.clone());
    }
    all
}

pub(in crate::tokens) fn policy_text() -> impl Strategy<Value = String> {
    let segment = prop::sample::select(vec!["a", "job", "*", "{userId}", "{jobId}", "{jobId}"]);
    let first = prop::sample::select(NAMESPACES);
    let channel = (first, prop::collection::vec(segment, 0..3))
        .prop_map(|(first, rest)| [first].into_iter().chain(rest).collect::<Vec<_>>().join(":"));
    let operation = prop::sample::select(vec!["subscribe", "push-subscribe"]);
    let role = prop::collection::btree_map(channel, operation, 0..3).prop_map(|channels| {
        channels.iter().map(|(channel, operation)| format!("\"{channel}\" = [\"{operation}\"]\n")).collect()
    });
    prop::collection::vec(role, 4).prop_map(|roles: Vec<String>| {
        let names = ["driver", "dispatcher", "customer", "admin"];
        names.iter().zip(roles).map(|(name, channels)| format!("[{name}]\n{channels}\n")).collect()
    })
}

pub(in crate::tokens) fn any_session() -> impl Strategy<Value = Session> {
    let role = prop::sample::select(vec![Role::Driver, Role::Dispatcher, Role::Customer, Role::Admin]);
    let jobs = prop::sample::subsequence(IDS, 0..3);
    (role, prop::sample::select(IDS), jobs).prop_map(|(role, user, jobs)| session(role, user, &jobs))
}

fn odd_user() -> impl Strategy<Value = String> {
    "[!-~]{1,12}".prop_filter("a user id", |text| UserId::parse(text.as_str()).is_ok())
}

fn odd_job() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._-]{1,4}".prop_filter("a job id", |text| JobId::parse(text.as_str()).is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    /// For any policy that builds: a token allows exactly what the policy's words say of this user and these jobs.
    #[test]
    fn a_token_is_never_more_and_never_less_than_the_policy(
        policy in policy_text().prop_filter_map("builds", |text| compile(&text)),
        session in any_session(),
    ) {
        let jobs: Vec<_> = session.jobs.iter().map(JobId::as_str).collect();
        let granted = policy.grant(&session, &session.jobs, None);
        for channel in channels() {
            for operation in [Operation::Subscribe, Operation::PushSubscribe] {
                let said = policy.of(session.role).iter().any(|grant| {
                    grant.operations.contains(&operation)
                        && reaches(grant.channel, &channel, &[session.user.as_str()], &jobs)
                });
                let allowed = granted.as_ref().is_ok_and(|g| g.capability.allows(&channel.join(":"), operation));
                prop_assert_eq!(allowed, said, "{:?} on {:?}", operation, channel);
            }
        }
    }

    /// For any policy that builds: narrowing only takes away, takes every other job, and leaves what belongs to no job.
    #[test]
    fn a_narrowed_token_is_a_part_without_other_jobs(
        policy in policy_text().prop_filter_map("builds", |text| compile(&text)),
        session in any_session(),
        narrow in prop::sample::subsequence(IDS, 1..IDS.len()),
    ) {
        let only: Vec<_> = narrow.iter().map(|id| job(id)).collect();
        let Ok(narrowed) = policy.grant(&session, &session.jobs, Some(&only)) else { return Ok(()) };
        if let [one] = only.as_slice() {
            prop_assert_eq!(narrowed.job.as_ref(), Some(one));
        }
        prop_assert!(narrowed.job.is_none_or(|one| only.contains(&one)));
        let full = policy.grant(&session, &session.jobs, None).unwrap();
        let others: Vec<_> = IDS.iter().copied().filter(|other| !narrow.contains(other)).collect();
        for channel in channels() {
            let name = channel.join(":");
            let of_another_job =
                policy.job_templates().any(|template| reaches(template, &channel, IDS, &others));
            for operation in [Operation::Subscribe, Operation::PushSubscribe] {
                let allowed = narrowed.capability.allows(&name, operation);
                prop_assert!(!allowed || full.capability.allows(&name, operation), "{} {:?}", name, operation);
                prop_assert!(!(allowed && of_another_job), "{} {:?}", name, operation);
                let plain = policy.of(session.role).iter().any(|grant| {
                    let plain = !grant.channel.iter().any(|s| matches!(s, Segment::Wildcard | Segment::JobId));
                    plain && grant.operations.contains(&operation)
                        && reaches(grant.channel, &channel, &[session.user.as_str()], &[])
                });
                prop_assert!(!plain || allowed, "{} {:?}", name, operation);
            }
        }
    }

    /// The repository's policy, for any ids: nobody else's notifications, and nobody else's job for driver and customer.
    #[test]
    fn no_id_opens_what_belongs_to_others(
        role in prop::sample::select(vec![Role::Driver, Role::Dispatcher, Role::Customer, Role::Admin]),
        me in odd_user(),
        other in odd_user(),
        mine in prop::collection::vec(odd_job(), 0..4),
        foreign in odd_job(),
        operation in prop::sample::select(Operation::ALL),
    ) {
        let mine: Vec<_> = mine.iter().map(String::as_str).collect();
        let capability = {
            let session = session(role, &me, &mine);
            Policy::compiled().grant(&session, &session.jobs, None).unwrap().capability
        };
        let notifications = format!("notifications:user:{me}");
        let mut closed = vec![format!("{notifications}:x"), format!("[meta]{notifications}")];
        if other != me {
            closed.push(format!("notifications:user:{other}"));
        }
        let foreign_job = format!("dispatch:job:{foreign}");
        if matches!(role, Role::Driver | Role::Customer) {
            if !mine.contains(&foreign.as_str()) {
                closed.push(foreign_job.clone());
            }
            closed.extend([format!("{foreign_job}:x"), "admin:ops".to_owned()]);
        }
        if role == Role::Customer {
            closed.push("presence:dispatch".to_owned());
        }
        if operation != Operation::Subscribe {
            closed.push(foreign_job);
        }
        for channel in closed {
            prop_assert!(!capability.allows(&channel, operation), "{} on {}", operation.as_str(), channel);
        }
    }
}
