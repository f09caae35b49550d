//! Identifiers that travel through the whole service, parsed once at the border.
//!
//! Each type can only hold a valid value, so that code past the border never has to ask again. Ids are never decoded,
//! normalised, trimmed or case-folded: two spellings are two ids.

#[cfg(test)]
mod schema;

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest job id, in bytes.
pub const JOB_ID_MAX: usize = 64;
/// The longest user id, in bytes.
pub const USER_ID_MAX: usize = 128;
/// The longest fix id or `Idempotency-Key`, in bytes.
pub const FIX_ID_MAX: usize = 64;
/// The longest id of a notification, in bytes: those that others give are shorter.
pub const NOTIFICATION_ID_MAX: usize = 128;

/// Why a text is not an id. The message names the rule, never the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// Not a [`JobId`].
    #[error("a job id is 1 to 64 of the characters A-Z a-z 0-9 . _ - and not `.` or `..`")]
    Job,
    /// Not a [`UserId`].
    #[error("a user id is 1 to 128 printable ASCII characters without blank and : * , / [ ]")]
    User,
    /// Not a [`JobRef`].
    #[error("a job's reference is 64 hexadecimal digits in lower case")]
    Ref,
    /// Not a [`DispatchId`].
    #[error("a dispatch id is 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
    Dispatch,
    /// Not a [`FixId`].
    #[error("an id is 1 to 64 printable ASCII characters")]
    Fix,
    /// Not an [`EventType`].
    #[error("a type is 1 to 64 of the characters a-z 0-9 . _ -")]
    EventType,
    /// Not a [`NotificationId`].
    #[error("a notification's id is 1 to 128 printable ASCII characters")]
    Notification,
    /// Not an [`EntityId`].
    #[error("an entity's id is 1 to 64 of the characters A-Z a-z 0-9 . _ -")]
    Entity,
}

/// Whether a text is of the letters of which a job's id is, and no longer.
fn is_plain(text: &str) -> bool {
    (1..=JOB_ID_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $error:expr, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses an id.
            ///
            /// # Errors
            /// [`IdError`], which names the rule that the text breaks.
            pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err($error) }
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// One piece of towing work: the unit of access, of ordering and of privacy. It is one segment of a channel name.
    JobId,
    IdError::Job,
    |text| is_plain(text) && text != "." && text != ".."
);

id!(
    /// A person or a back end, as the session's `sub` names it. It is one segment of a channel name, and the Ably
    /// `clientId`; so it holds nothing that Ably reads as a separator or a wildcard.
    UserId,
    IdError::User,
    |text| {
        (1..=USER_ID_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !matches!(b, b':' | b'*' | b',' | b'/' | b'[' | b']'))
    }
);

id!(
    /// Who hands jobs out: one segment of the channel `presence:dispatch:{dispatchId}`.
    DispatchId,
    IdError::Dispatch,
    is_plain
);

id!(
    /// What the log calls a job: the id of its Durable Object, by which nobody outside can tell which job it is.
    JobRef,
    IdError::Ref,
    |text| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);

id!(
    /// A driver's own name for a fix or, as `Idempotency-Key`, for a post.
    FixId,
    IdError::Fix,
    |text| (1..=FIX_ID_MAX).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
);

id!(
    /// The platform's own name for an event of a job.
    EventId,
    IdError::Fix,
    |text| (1..=FIX_ID_MAX).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
);

id!(
    /// What kind of thing has changed, by an event or a notification of the platform's: a word of its own, and no text for people.
    EventType,
    IdError::EventType,
    |text| is_plain(text) && !text.bytes().any(|b| b.is_ascii_uppercase())
);

id!(
    /// By what a notification of one user is recognised.
    NotificationId,
    IdError::Notification,
    |text| (1..=NOTIFICATION_ID_MAX).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~'))
);

id!(
    /// The thing that a notification is about, whatever it is to the platform. It holds no blank, so nobody writes text in it.
    EntityId,
    IdError::Entity,
    is_plain
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_ids_are_one_plain_segment() {
        for good in ["a", "job-1", "A.b_c", "...", &"x".repeat(64)] {
            assert!(JobId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a:b", "a*", "a/b", "%41", "é", "a\n", &"x".repeat(65)] {
            assert_eq!(JobId::parse(bad), Err(IdError::Job), "{bad}");
        }
    }

    #[test]
    fn user_ids_take_what_identity_providers_issue_and_nothing_ably_would_interpret() {
        for good in ["auth0|5f7c", "jane@example.com", "u", "a{b}", &"x".repeat(128)] {
            assert!(UserId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "*", "a,b", "a/b", "[a", "a]", "é", "a\u{7f}", "a\0", &"x".repeat(129)]
        {
            assert_eq!(UserId::parse(bad), Err(IdError::User), "{bad}");
        }
    }

    #[test]
    fn fix_ids_are_short_printable_ascii() {
        for good in ["0", "a b", "~", &"x".repeat(64)] {
            assert!(FixId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "é", "a\tb", &"x".repeat(65)] {
            assert_eq!(FixId::parse(bad), Err(IdError::Fix), "{bad}");
        }
    }

    #[test]
    fn a_type_is_a_word_in_small_letters() {
        for good in ["photo.added", "a", "0", "a_b-c", "job.assigned", ".", &"x".repeat(64)] {
            assert!(EventType::parse(good).is_ok(), "{good}");
            assert!(EntityId::parse(good.to_ascii_uppercase()).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:b", "é", "a/b", &"x".repeat(65)] {
            assert_eq!(EventType::parse(bad), Err(IdError::EventType), "{bad}");
            assert_eq!(EntityId::parse(bad), Err(IdError::Entity), "{bad}");
        }
        assert_eq!(EventType::parse("Job"), Err(IdError::EventType));
    }

    #[test]
    fn the_id_of_a_notification_is_printable() {
        for good in ["0", "a b:c", "~", &"x".repeat(128)] {
            assert!(NotificationId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "é", "a\tb", &"x".repeat(129)] {
            assert_eq!(NotificationId::parse(bad), Err(IdError::Notification), "{bad}");
        }
    }

    #[test]
    fn a_reference_is_the_id_of_an_object() {
        assert!(JobRef::parse("0123456789abcdef".repeat(4)).is_ok());
        for bad in ["", "a", &"A".repeat(64), &"g".repeat(64), &"a".repeat(63), &"a".repeat(65)] {
            assert_eq!(JobRef::parse(bad), Err(IdError::Ref), "{bad}");
        }
    }

    #[test]
    fn an_id_in_json_is_checked_too() {
        assert!(serde_json::from_str::<JobId>("\"a:b\"").is_err());
        assert_eq!(serde_json::to_string(&JobId::parse("a").unwrap()).unwrap(), "\"a\"");
    }
}
