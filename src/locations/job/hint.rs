//! What a developer is told of what a job's object refuses, or has noted: what the object alone knows.

use super::{Job, Log, Notice};
use crate::hints::Hint;
use crate::jobs::{Admission, Standing};
use crate::locations::{JobAnswer, JobRefusal, Reply};
use crate::objects::{Cause, Class};

impl<L: Log> Job<L> {
    /// Why somebody who was told that the job is none of theirs was told so.
    pub fn hint(&self, reply: &Reply<JobAnswer>) -> Option<Hint> {
        match reply {
            Reply::Refusal(JobRefusal::NotAParticipant)
            | Reply::Answer(JobAnswer::Admission(Admission { standing: Standing::Foreign, .. })) => {}
            _ => return None,
        }
        Some(if self.forgotten.is_some() {
            Hint::new(
                "the job was deleted, or its retention is over, so nobody takes part in it",
                "give the next piece of work an id of its own",
            )
        } else if self.registration.is_some() {
            Hint::new(
                "the job is registered, but without the user of this session, and the registry decides",
                "compare the session's `sub` with `driver` and `customers` of GET /api/jobs/{jobId}, read as a dispatcher; then PUT the job with this user, or /api/jobs/{jobId}/customers/{userId}",
            )
        } else {
            Hint::new(
                "nobody has registered the job, and with JOB_REGISTRY=required the registry alone says who takes part",
                "register it by PUT /api/jobs/{jobId} with `driver` and `customers`, as dispatcher, admin or service; or set JOB_REGISTRY=on, where the session's claim `jobs` counts",
            )
        })
    }
}

impl Notice {
    /// What is to be done about it, where somebody has to do something.
    pub fn hint(self) -> Option<Hint> {
        match self {
            Self::Waits { cause, .. } | Self::Lasts { cause, .. } | Self::GivenUp { cause, .. } => {
                publishing(cause)
            }
            Self::Unrevoked { cause } => match cause.class {
                Class::Access => Some(Hint::new(
                    told("Ably refuses to revoke tokens by ABLY_API_KEY", cause),
                    "see in Ably's dashboard that the key is there, that it is the one which signs, and that its secret is right",
                )),
                _ => None,
            },
            Self::NotRevocable => Some(Hint::new(
                "Ably revokes no tokens of the key in ABLY_API_KEY, or none of its app: whoever leaves a job keeps theirs for up to 15 minutes",
                "switch revocable tokens on for that key in Ably's dashboard, which counts for what is signed from then on; where they are, ask Ably why the app has none",
            )),
            Self::Resumed { .. }
            | Self::DriverSilent { .. }
            | Self::DriverHeard { .. }
            | Self::DriverRefused { .. } => None,
        }
    }
}

/// Why nothing reaches Ably.
fn publishing(cause: Cause) -> Option<Hint> {
    let (says, cure) = match cause.class {
        Class::Access => (
            "Ably refuses the key that publishes, and positions wait in order",
            match cause.code {
                Some(40160) => {
                    "let the key publish on dispatch:job:*, notifications:user:* and admin:ops: `npm run policy:check` prints the least that it needs"
                }
                Some(40400) => {
                    "take a key of an app that is there: the app or the key was deleted, or ABLY_REST_URL leads to another Ably"
                }
                _ => {
                    "see that ABLY_PUBLISH_KEY, or ABLY_API_KEY where there is none, is whole and not revoked, and that ABLY_REST_URL leads to its Ably"
                }
            },
        ),
        Class::Unknown => (
            "Ably refuses positions in a way that is not known, and they wait",
            "look Ably's code up at help.ably.io/error/<code>",
        ),
        Class::Throttled => (
            "Ably takes no more for now, and positions wait",
            "see the limits of your Ably package; ABLY_PUBLISHING=batched asks less often",
        ),
        Class::Transient => (
            "Ably does not answer, and positions wait",
            "see that ABLY_REST_URL leads to an Ably that runs: `npm start` starts one, and `npm run local-ably` does beside plain wrangler dev",
        ),
        Class::Message => (
            "Ably refuses a message for good, which is set aside",
            "GET /api/jobs/{jobId}/outbox has it, and POST …/outbox/retry sends it again",
        ),
        Class::Damaged | Class::Withdrawn => return None,
    };
    Some(Hint::new(told(says, cause), cure))
}

fn told(says: &'static str, cause: Cause) -> String {
    match (cause.code, cause.status) {
        (Some(code), _) => format!("{says}: its code is {code}"),
        (None, Some(status)) => format!("{says}: its status is {status}"),
        (None, None) => says.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_to_act_on_has_a_cure_and_what_passes_has_none() {
        let cause = |class, code| Cause { class, code, status: Some(401) };
        let waits = |class, code| Notice::Waits { n: 1, cause: cause(class, code), retry_at: 0 }.hint();
        let hint = waits(Class::Access, Some(40160)).unwrap();
        assert!(hint.cause.ends_with("its code is 40160") && hint.cure.contains("policy:check"));
        assert!(waits(Class::Access, None).unwrap().cause.ends_with("its status is 401"));
        assert_eq!(Notice::Waits { n: 1, cause: Cause::WITHDRAWN, retry_at: 0 }.hint(), None);
        let hint = Notice::NotRevocable.hint().unwrap();
        assert!(hint.cause.contains("ABLY_API_KEY") && hint.cure.contains("revocable tokens on"));
        for class in [Class::Transient, Class::Throttled, Class::Unknown, Class::Message] {
            assert!(waits(class, None).is_some(), "{class:?}");
        }
        assert_eq!(Notice::Unrevoked { cause: cause(Class::Transient, None) }.hint(), None);
        assert_eq!(Notice::DriverSilent { since: 0 }.hint(), None);
    }
}
