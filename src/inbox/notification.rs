//! What somebody is told: read at the border, and as it is published.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::ids::{EntityId, EventType, NotificationId, UserId};
use crate::locations::fix::Reason;
use crate::locations::log::Ready;
use crate::objects::Millis;

/// The longest body, in bytes.
pub const BODY_MAX: usize = 4 * 1024;

/// The longest id that others give, in bytes.
const ID_MAX: usize = 64;

/// What the ids begin with that the service gives itself: nobody else's do.
pub(crate) const OWN: &str = "towline:";

/// The greatest version: up to it JSON's numbers are exact everywhere.
const VERSION_MAX: u64 = (1 << 53) - 1;

/// So much of a hash is enough: no two have the same by chance.
const HASH_BYTES: usize = 16;

/// The event on the channel.
const EVENT: &str = "notification";

/// A small event for one person: that something of a version is there, and not what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// By it the same one is recognised.
    pub id: NotificationId,
    /// What has happened.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// To what.
    pub entity_id: EntityId,
    /// In which version of that, at most 2^53 − 1.
    pub version: u64,
}

/// Why a body is no notification. The message quotes nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotificationError {
    /// It is too long.
    #[error("a notification is at most {BODY_MAX} bytes long")]
    TooLarge,
    /// It is not a JSON object, or names a member twice.
    #[error("the body is a JSON object that names each member once")]
    NotAnObject,
    /// It has a member that a notification has not.
    #[error("a notification has the members `id`, `type`, `entityId` and `version`, and no other")]
    Unknown,
    /// A member breaks its rule.
    #[error("`{}` {}", .field, rule(.field))]
    Member {
        /// Which.
        field: &'static str,
        /// The stable code of what is wrong.
        reason: Reason,
    },
}

impl NotificationError {
    /// The stable code of what is wrong.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotAnObject => Reason::NotAnObject.code(),
            Self::Unknown => "unknown_member",
            Self::Member { reason, .. } => reason.code(),
        }
    }

    /// The member that is to blame, if one is.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::TooLarge | Self::NotAnObject | Self::Unknown => None,
            Self::Member { field, .. } => Some(field),
        }
    }
}

fn rule(field: &str) -> &'static str {
    match field {
        "id" => "is 1 to 64 printable ASCII characters, and does not begin with `towline:`",
        "type" => "is 1 to 64 of the characters a-z 0-9 . _ -",
        "entityId" => "is 1 to 64 of the characters A-Z a-z 0-9 . _ -",
        _ => "is a whole number from 0 to 9007199254740991",
    }
}

/// The members of an object, each as its own text, in the order in which they stand there.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl Notification {
    /// Reads a body.
    ///
    /// # Errors
    /// [`NotificationError`]
    pub fn parse(body: &[u8]) -> Result<Self, NotificationError> {
        if body.len() > BODY_MAX {
            return Err(NotificationError::TooLarge);
        }
        let Members(members) = serde_json::from_slice(body).map_err(|_| NotificationError::NotAnObject)?;
        let [mut id, mut kind, mut entity, mut version] = [None; 4];
        for (name, value) in members {
            let member = match &*name {
                "id" => &mut id,
                "type" => &mut kind,
                "entityId" => &mut entity,
                "version" => &mut version,
                _ => return Err(NotificationError::Unknown),
            };
            if member.replace(value).is_some() {
                return Err(NotificationError::NotAnObject);
            }
        }
        let id = NotificationId::parse(text("id", id)?).ok();
        let id = id.filter(|id| id.as_str().len() <= ID_MAX && !id.as_str().starts_with(OWN));
        let version: u64 = read("version", version)?;
        Ok(Self {
            id: id.ok_or_else(|| wrong("id", Reason::InvalidId))?,
            kind: EventType::parse(text("type", kind)?).map_err(|_| wrong("type", Reason::InvalidId))?,
            entity_id: EntityId::parse(text("entityId", entity)?)
                .map_err(|_| wrong("entityId", Reason::InvalidId))?,
            version: Some(version)
                .filter(|version| *version <= VERSION_MAX)
                .ok_or_else(|| wrong("version", Reason::OutOfRange))?,
        })
    }

    /// By which one of the same content is recognised once nothing else is kept of it.
    pub(super) fn print(&self) -> String {
        let Self { id, kind, entity_id, version } = self;
        // No type and no entity has a blank.
        hash(&format!("{kind} {entity_id} {version} {id}"))
    }

    /// As it is published to somebody, once it was accepted in the place `n` at `ts`. By its id Ably recognises a retry for two minutes, and
    /// all that it says is in that id: so one that is accepted again is another, whatever became of the first.
    ///
    /// # Errors
    /// Where it cannot be written as JSON; with these types that does not happen.
    pub(super) fn ready(&self, user: &UserId, n: u64, ts: Millis) -> serde_json::Result<Ready> {
        #[derive(Serialize)]
        struct Data<'a> {
            #[serde(flatten)]
            notification: &'a Notification,
            ts: Millis,
        }
        Ok(Ready {
            channel: format!("notifications:user:{user}"),
            name: EVENT.to_owned(),
            // No user id has a blank.
            id: hash(&format!("{user} {n} {ts} {}", self.print())),
            data: serde_json::to_string(&Data { notification: self, ts })?,
        })
    }
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text).get(..HASH_BYTES).unwrap_or_default())
}

fn wrong(field: &'static str, reason: Reason) -> NotificationError {
    NotificationError::Member { field, reason }
}

fn text(field: &'static str, raw: Option<&RawValue>) -> Result<String, NotificationError> {
    read(field, raw)
}

/// A value of this type and no other.
fn read<'a, T: Deserialize<'a>>(
    field: &'static str,
    raw: Option<&'a RawValue>,
) -> Result<T, NotificationError> {
    let raw = raw.map(RawValue::get).filter(|text| *text != "null");
    let text = raw.ok_or_else(|| wrong(field, Reason::Required))?;
    serde_json::from_str(text).map_err(|_| wrong(field, Reason::WrongType))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = r#"{"id": "n 1", "type": "quote.sent", "entityId": "Q-7", "version": 3}"#;

    fn parse(body: &str) -> Result<Notification, NotificationError> {
        Notification::parse(body.as_bytes())
    }

    #[test]
    fn a_notification_is_four_members_and_no_other() {
        let notification = parse(GOOD).unwrap();
        let text = r#"{"id":"n 1","type":"quote.sent","entityId":"Q-7","version":3}"#;
        assert_eq!(serde_json::to_string(&notification).unwrap(), text);
        assert_eq!(parse(text), Ok(notification.clone()));
        assert_eq!(
            parse(r#"{"\u0069d":"n 1","type":"quote.sent","entityId":"Q-7","version":3}"#),
            Ok(notification)
        );
        let more = GOOD.replace("}", r#", "title": "Your car"}"#);
        let error = parse(&more).unwrap_err();
        assert_eq!(
            (error, error.reason(), error.field()),
            (NotificationError::Unknown, "unknown_member", None)
        );
        let twice = GOOD.replace("}", r#", "id": "n 1"}"#);
        for body in ["", "null", "[]", r#"["n", "t", "e", 1]"#, "{", "{} {}", "{\"id\":\"\u{1}\"}", &twice] {
            assert_eq!(parse(body), Err(NotificationError::NotAnObject), "{body}");
        }
        let long = |spaces: usize| [GOOD, &" ".repeat(spaces)].concat();
        assert!(parse(&long(BODY_MAX - GOOD.len())).is_ok());
        assert_eq!(parse(&long(BODY_MAX + 1 - GOOD.len())), Err(NotificationError::TooLarge));
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let long = format!("\"{}\"", "x".repeat(65));
        let members = [("id", "\"n\""), ("type", "\"t\""), ("entityId", "\"e\""), ("version", "1")];
        let with = |field: &str, value: Option<&str>| {
            let members = members.iter().filter_map(|(name, good)| {
                let value = if *name == field { value? } else { good };
                Some(format!("\"{name}\": {value}"))
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        for (field, good) in members {
            assert!(parse(&with(field, Some(good))).is_ok());
            assert_eq!(parse(&with(field, None)), Err(wrong(field, Reason::Required)), "{field}");
            assert_eq!(parse(&with(field, Some("null"))), Err(wrong(field, Reason::Required)), "{field}");
        }
        for (field, value, reason) in [
            ("id", "7", Reason::WrongType),
            ("id", "\"\"", Reason::InvalidId),
            ("id", "\"a\\tb\"", Reason::InvalidId),
            ("id", &long, Reason::InvalidId),
            ("id", "\"towline:a.1.closed\"", Reason::InvalidId),
            ("type", "[]", Reason::WrongType),
            ("type", "\"A\"", Reason::InvalidId),
            ("type", "\"a b\"", Reason::InvalidId),
            ("type", &long, Reason::InvalidId),
            ("entityId", "1", Reason::WrongType),
            ("entityId", "\"a b\"", Reason::InvalidId),
            ("entityId", &long, Reason::InvalidId),
            ("version", "\"1\"", Reason::WrongType),
            ("version", "-1", Reason::WrongType),
            ("version", "1.0", Reason::WrongType),
            ("version", "9007199254740992", Reason::OutOfRange),
        ] {
            let error = parse(&with(field, Some(value))).unwrap_err();
            assert_eq!(error, wrong(field, reason), "{value}");
            assert!(error.to_string().starts_with(&format!("`{field}` is ")), "{error}");
        }
        for version in ["0", "9007199254740991"] {
            assert!(parse(&with("version", Some(version))).is_ok(), "{version}");
        }
    }

    #[test]
    fn it_is_published_as_it_came_with_the_time_and_an_id_of_its_own() {
        let user = |id: &str| UserId::parse(id).unwrap();
        let notification = parse(GOOD).unwrap();
        let ready = notification.ready(&user("ann"), 1, 5).unwrap();
        assert_eq!((ready.channel.as_str(), ready.name.as_str()), ("notifications:user:ann", "notification"));
        assert_eq!(ready.data, r#"{"id":"n 1","type":"quote.sent","entityId":"Q-7","version":3,"ts":5}"#);
        assert_eq!(ready, notification.ready(&user("ann"), 1, 5).unwrap());
        let other = parse(&GOOD.replace("n 1", "1")).unwrap();
        let ids = [
            ready.id,
            notification.ready(&user("bob"), 1, 5).unwrap().id,
            notification.ready(&user("ann"), 1, 6).unwrap().id,
            notification.ready(&user("ann"), 2, 5).unwrap().id,
            other.ready(&user("ann"), 1, 5).unwrap().id,
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(id.len() == 22 && !id.contains(':') && !ids[at + 1..].contains(id), "{ids:?}");
        }
        assert_eq!(policy::NOTIFICATION_CHANNEL.replace("{userId}", "ann"), ready.channel);
    }

    #[test]
    fn another_content_has_another_print() {
        let prints: Vec<String> = ["", "n 1>n 2", "quote>note", "Q-7>Q-8", "3>4"]
            .iter()
            .map(|change| match change.split_once('>') {
                Some((old, new)) => parse(&GOOD.replace(old, new)).unwrap().print(),
                None => parse(GOOD).unwrap().print(),
            })
            .collect();
        for (at, print) in prints.iter().enumerate() {
            assert!(!prints[at + 1..].contains(print), "{prints:?}");
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Notification::parse(&body);
        }
    }
}
