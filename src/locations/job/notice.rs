//! What whoever runs the service should know of a job's outbox.

use serde::Serialize;

use crate::locations::log::Trouble;
use crate::objects::lines::{Level, Line, Lines};
use crate::objects::{Cause, Millis};
use crate::operations::Kind;

/// A change of how the outbox is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A publish has failed, for another reason than the one before, if that failed too.
    Waits {
        /// The last `n` that it stands for.
        n: u64,
        /// Why.
        cause: Cause,
        /// When it goes out again, Unix milliseconds.
        retry_at: Millis,
    },
    /// They still fail, though that should have passed by itself.
    Lasts {
        /// Why the last one has failed.
        cause: Cause,
        /// Since when they do, Unix milliseconds.
        since: Millis,
    },
    /// Publishing goes on.
    Resumed {
        /// Since when nothing had left, Unix milliseconds.
        since: Millis,
        /// Whether operators were told of that.
        is_told: bool,
    },
    /// A message is set aside.
    GivenUp {
        /// The last `n` that it stands for.
        n: u64,
        /// Why.
        cause: Cause,
    },
    /// What was issued to whoever has left is not revoked yet.
    Unrevoked {
        /// Why Ably has not done it.
        cause: Cause,
    },
    /// It cannot be: whoever has left keeps what was issued until that expires.
    NotRevocable,
    /// Nothing is heard of the driver.
    DriverSilent {
        /// Since then, Unix milliseconds.
        since: Millis,
    },
    /// The driver is heard of again.
    DriverHeard {
        /// Nothing was since then, Unix milliseconds.
        since: Millis,
    },
    /// All fixes of the driver are refused.
    DriverRefused {
        /// Since then, Unix milliseconds.
        since: Millis,
    },
}

/// What a line says beside its code. Ably's own words stay out: they name the channel.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Millis>,
    next: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<Millis>,
}

impl Notice {
    /// That what had kept anything from leaving is over.
    pub(crate) fn resumed(trouble: &Trouble) -> Self {
        Self::Resumed { since: trouble.since, is_told: trouble.is_told }
    }

    /// Its line in the log: an error where somebody has to act, or where a message is lost to subscribers.
    pub fn line(self, lines: &Lines) -> Line {
        let driver =
            |code, since| (Level::Info, code, Said { since: Some(since), next: "Report", ..Said::default() });
        let (level, code, said) = match self {
            Self::Waits { n, cause, retry_at } => {
                let level = if cause.holds() { Level::Error } else { Level::Warn };
                let (cause, retry_at) = (Some(cause), Some(retry_at));
                (
                    level,
                    "publish_failed",
                    Said { n: Some(n), cause, next: "Retry", retry_at, ..Said::default() },
                )
            }
            Self::Lasts { cause, since } => {
                let (cause, since) = (Some(cause), Some(since));
                (Level::Error, "publish_delayed", Said { cause, since, next: "Retry", ..Said::default() })
            }
            Self::GivenUp { n, cause } => {
                let (n, cause) = (Some(n), Some(cause));
                (Level::Error, "publish_failed", Said { n, cause, next: "SetAside", ..Said::default() })
            }
            Self::Unrevoked { cause } => {
                let cause = Some(cause);
                (Level::Warn, "revocation_failed", Said { cause, next: "Retry", ..Said::default() })
            }
            Self::DriverSilent { since } => driver("driver_silent", since),
            Self::DriverHeard { since } => driver("driver_heard", since),
            Self::DriverRefused { since } => driver("driver_refused", since),
            Self::NotRevocable => (Level::Error, "not_revocable", Said { next: "Expire", ..Said::default() }),
            Self::Resumed { since, .. } => (
                Level::Info,
                "publish_resumed",
                Said { since: Some(since), next: "Publish", ..Said::default() },
            ),
        };
        lines.line(level, code, said)
    }

    /// What operators hear of it on `admin:ops`, if anything: the kind, since when something is wrong, and why.
    pub fn reported(self) -> Option<(Kind, Option<Millis>, Option<Cause>)> {
        match self {
            Self::Waits { cause, .. } if cause.holds() => Some((Kind::HELD, None, Some(cause))),
            Self::Lasts { cause, since } => Some((Kind::DELAYED, Some(since), Some(cause))),
            Self::GivenUp { cause, .. } => Some((Kind::SET_ASIDE, None, Some(cause))),
            Self::Resumed { since, is_told: true } => Some((Kind::RESUMED, Some(since), None)),
            Self::NotRevocable => Some((Kind::NOT_REVOCABLE, None, None)),
            Self::DriverSilent { since } => Some((Kind::DRIVER_SILENT, Some(since), None)),
            Self::DriverHeard { since } => Some((Kind::DRIVER_HEARD, Some(since), None)),
            Self::DriverRefused { since } => Some((Kind::DRIVER_REFUSED, Some(since), None)),
            Self::Waits { .. } | Self::Resumed { .. } | Self::Unrevoked { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Class;

    fn read(line: &Line) -> Value {
        serde_json::from_str(&line.text).unwrap()
    }

    #[test]
    fn a_line_is_an_error_where_somebody_has_to_act() {
        let lines = Lines::of("a1".to_owned());
        let cause = |class| Cause { class, status: Some(500), code: None };
        let waits = |class| Notice::Waits { n: 3, cause: cause(class), retry_at: 7 };
        for (notice, expected) in [
            (
                waits(Class::Transient),
                json!({
                    "level": "warn", "code": "publish_failed", "ref": "a1", "n": 3, "next": "Retry", "retryAt": 7,
                    "cause": {"class": "transient", "status": 500, "code": null},
                }),
            ),
            (
                waits(Class::Access),
                json!({
                    "level": "error", "code": "publish_failed", "ref": "a1", "n": 3, "next": "Retry", "retryAt": 7,
                    "cause": {"class": "access", "status": 500, "code": null},
                }),
            ),
            (
                Notice::GivenUp { n: 3, cause: cause(Class::Message) },
                json!({
                    "level": "error", "code": "publish_failed", "ref": "a1", "n": 3, "next": "SetAside",
                    "cause": {"class": "message", "status": 500, "code": null},
                }),
            ),
            (
                Notice::Lasts { cause: cause(Class::Transient), since: 5 },
                json!({
                    "level": "error", "code": "publish_delayed", "ref": "a1", "since": 5, "next": "Retry",
                    "cause": {"class": "transient", "status": 500, "code": null},
                }),
            ),
            (
                Notice::Resumed { since: 5, is_told: false },
                json!({"level": "info", "code": "publish_resumed", "ref": "a1", "since": 5, "next": "Publish"}),
            ),
        ] {
            assert_eq!(read(&notice.line(&lines)), expected);
        }
    }

    #[test]
    fn operators_hear_of_what_they_can_act_on_and_of_its_end() {
        let cause = |class| Cause { class, status: Some(500), code: None };
        let waits = |class| Notice::Waits { n: 3, cause: cause(class), retry_at: 7 };
        for (notice, kind, since) in [
            (waits(Class::Access), Some(Kind::HELD), None),
            (waits(Class::Unknown), Some(Kind::HELD), None),
            (waits(Class::Transient), None, None),
            (Notice::Lasts { cause: cause(Class::Throttled), since: 5 }, Some(Kind::DELAYED), Some(5)),
            (Notice::GivenUp { n: 3, cause: Cause::DAMAGED }, Some(Kind::SET_ASIDE), None),
            (Notice::Resumed { since: 5, is_told: true }, Some(Kind::RESUMED), Some(5)),
            (Notice::Resumed { since: 5, is_told: false }, None, None),
        ] {
            let told = notice.reported();
            assert_eq!(told.as_ref().map(|(kind, ..)| kind), kind.as_ref(), "{notice:?}");
            assert_eq!(told.and_then(|(_, since, _)| since), since, "{notice:?}");
        }
    }
}
