//! What a job and its publisher say to each other.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::objects::{Cause, Failure, Millis};

/// How long a job waits for what becomes of a message that it has handed over: after that it hands it over again.
pub const HAND_OVER_MAX: Millis = 20_000;

/// How many publishers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publishers(u64);

impl Publishers {
    /// So many; there is always one.
    pub fn new(count: u64) -> Self {
        Self(count.max(1))
    }

    /// The name of the object that publishes for a job, by the id of the job's object. Where their number is changed a job's message may
    /// be with two of them for a while: it has one id, and by that Ably recognises it.
    pub fn of(self, reference: &str) -> String {
        let hash = Sha256::digest(reference);
        let hash = hash.iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte));
        format!("publisher-{}", hash % self.0)
    }
}

/// What has become of a message that was handed over. What a newer publisher says that a job does not know is like no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// Ably has it.
    Published,
    /// Ably has not taken it, or nobody knows whether it has.
    Failed {
        /// Why.
        cause: Cause,
        /// Where many jobs have to wait for the same: how long. Otherwise the job decides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait: Option<Millis>,
    },
    /// The publisher holds as much as it can.
    Busy,
}

impl Outcome {
    /// What a publisher has told a job.
    ///
    /// # Errors
    /// [`Failure`], where the message has not reached Ably, or may not have.
    pub fn into_result(self) -> Result<(), Failure> {
        match self {
            Self::Published => Ok(()),
            Self::Failed { cause, wait } => Err(Failure { wait, ..Failure::of(cause) }),
            Self::Busy => Err(Failure::of(Cause::UNANSWERED)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use ably::rest::{ErrorClass, PublishError};

    use super::*;
    use crate::objects::Class;

    #[test]
    fn jobs_are_spread_over_all_publishers_and_stay_where_they_are() {
        let mut jobs: BTreeMap<String, u32> = BTreeMap::new();
        for n in 0..4_000 {
            let job = format!("job-{n}");
            let name = Publishers::new(4).of(&job);
            assert_eq!(Publishers::new(4).of(&job), name);
            *jobs.entry(name).or_default() += 1;
        }
        assert_eq!(
            jobs.keys().collect::<Vec<_>>(),
            ["publisher-0", "publisher-1", "publisher-2", "publisher-3"]
        );
        assert!(jobs.values().all(|count| (850..1_150).contains(count)), "{jobs:?}");
        assert_eq!(Publishers::new(1).of("job-1"), "publisher-0");
        assert_eq!(Publishers::new(0).of("job-1"), "publisher-0");
    }

    #[test]
    fn outcomes_are_read_as_they_are_written() {
        let cause = Cause { class: Class::Access, code: Some(40_101), status: Some(401) };
        for (outcome, text) in [
            (Outcome::Published, r#"{"status":"published"}"#),
            (Outcome::Busy, r#"{"status":"busy"}"#),
            (
                Outcome::Failed { cause, wait: Some(1_500) },
                r#"{"status":"failed","cause":{"class":"access","code":40101,"status":401},"wait":1500}"#,
            ),
            (
                Outcome::Failed { cause, wait: None },
                r#"{"status":"failed","cause":{"class":"access","code":40101,"status":401}}"#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), text);
            assert_eq!(serde_json::from_str::<Outcome>(text).unwrap(), outcome);
        }
        assert!(serde_json::from_str::<Outcome>(r#"{"status":"of a newer build"}"#).is_err());
        // Fields may be added.
        let newer = r#"{"status":"published","more":1}"#;
        assert_eq!(serde_json::from_str::<Outcome>(newer).unwrap(), Outcome::Published);
    }

    #[test]
    fn a_failure_means_to_the_job_what_it_meant_to_the_publisher() {
        for class in [
            ErrorClass::BlamesMessage,
            ErrorClass::BlamesAccess,
            ErrorClass::Throttled { retry_after: None },
            ErrorClass::Transient { retry_after: None },
            ErrorClass::Unknown,
        ] {
            let error = PublishError::new(class, Some(400), Some(1), "why");
            let told = Outcome::Failed { cause: Cause::of(&error), wait: Some(7) };
            let failure = told.into_result().unwrap_err();
            assert_eq!((failure.class, failure.cause, failure.wait), (class, Cause::of(&error), Some(7)));
        }
    }
}
