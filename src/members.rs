//! The members of a JSON object of which every one is known: what is not asked for is refused, and not passed over, so that nothing comes
//! in beside it.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::Number;
use serde_json::value::RawValue;
use thiserror::Error;

use crate::locations::Reason;

/// Why a body does not say what it should. The message quotes nothing that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MembersError {
    /// It is not one JSON object.
    #[error("the body is a JSON object")]
    NotAnObject,
    /// It has a member that is none of those asked for.
    #[error("the body has {0}, and no other member")]
    Unknown(&'static str),
    /// A member breaks its rule.
    #[error("`{field}` {rule}")]
    Member {
        /// Which.
        field: &'static str,
        /// The stable code of what is wrong.
        reason: Reason,
        /// What it should be.
        rule: &'static str,
    },
}

impl MembersError {
    /// The stable code of what is wrong.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotAnObject => Reason::NotAnObject.code(),
            Self::Unknown(_) => "unknown_member",
            Self::Member { reason, .. } => reason.code(),
        }
    }

    /// The member that is to blame, if one of those asked for is.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::NotAnObject | Self::Unknown(_) => None,
            Self::Member { field, .. } => Some(field),
        }
    }
}

/// A member that is asked for, and what it should be, as `is …`.
#[derive(Debug, Clone, Copy)]
pub struct Member {
    /// Its name.
    pub name: &'static str,
    /// Its rule.
    pub rule: &'static str,
}

impl Member {
    /// That it breaks its rule.
    pub fn wrong(self, reason: Reason) -> MembersError {
        MembersError::Member { field: self.name, reason, rule: self.rule }
    }

    /// A value of this type and no other.
    ///
    /// # Errors
    /// [`Reason::WrongType`]
    pub fn read<'a, T: Deserialize<'a>>(self, raw: &'a RawValue) -> Result<T, MembersError> {
        serde_json::from_str(raw.get()).map_err(|_| self.wrong(Reason::WrongType))
    }
}

/// The member `version`, of whatever the platform counts.
pub const VERSION: Member = Member { name: "version", rule: "is an integer from 0 to 9007199254740991" };

/// The greatest version: what a number in JavaScript holds exactly.
pub const VERSION_MAX: u64 = (1 << 53) - 1;

/// The value of [`VERSION`].
///
/// # Errors
/// [`Reason::WrongType`], [`Reason::OutOfRange`]
pub fn version(raw: &RawValue) -> Result<u64, MembersError> {
    let version = VERSION.read::<Number>(raw)?.as_u64().filter(|version| *version <= VERSION_MAX);
    version.ok_or(VERSION.wrong(Reason::OutOfRange))
}

/// Reads a body that has these members, each once, and no other; `all` names them for a message.
///
/// # Errors
/// [`MembersError`]; a member that is not there is [`Reason::Required`].
pub fn of<'a, const N: usize>(
    body: &'a [u8],
    wanted: [Member; N],
    all: &'static str,
) -> Result<[&'a RawValue; N], MembersError> {
    // A list of values is no object, whatever a reader makes of it.
    let text = str::from_utf8(body).ok().filter(|text| text.trim_ascii_start().starts_with('{'));
    let text = text.ok_or(MembersError::NotAnObject)?;
    let Members(given) = serde_json::from_str(text).map_err(|_| MembersError::NotAnObject)?;
    if given.iter().any(|(name, _)| wanted.iter().all(|member| member.name != name)) {
        return Err(MembersError::Unknown(all));
    }
    let mut found = [None; N];
    for (member, place) in wanted.iter().zip(&mut found) {
        let mut same = given.iter().filter(|(name, _)| name == member.name);
        let (_, raw) = same.next().ok_or(member.wrong(Reason::Required))?;
        if same.next().is_some() {
            return Err(member.wrong(Reason::Repeated));
        }
        *place = Some(*raw);
    }
    let found: Option<Vec<&RawValue>> = found.into_iter().collect();
    found.and_then(|found| found.try_into().ok()).ok_or(MembersError::NotAnObject)
}

/// All members of an object, in the order in which they stand there.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Each)
    }
}

struct Each;

/// A body that has more than these is refused whatever they are.
const MANY: usize = 64;

impl<'de> Visitor<'de> for Each {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
            if members.len() > MANY {
                return Err(A::Error::custom("too many members"));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Member = Member { name: "a", rule: "is a" };
    const B: Member = Member { name: "b", rule: "is b" };

    fn read(body: &[u8]) -> Result<[&str; 2], MembersError> {
        of(body, [A, B], "`a` and `b`").map(|found| found.map(RawValue::get))
    }

    #[test]
    fn each_member_is_there_once_and_no_other_is() {
        assert_eq!(read(br#" {"b": [1], "\u0061":null}"#), Ok(["null", "[1]"]));
        for (body, error) in [
            ("", MembersError::NotAnObject),
            ("[1, 2]", MembersError::NotAnObject),
            ("null", MembersError::NotAnObject),
            (r#"{"a": 1, "b": 2"#, MembersError::NotAnObject),
            (r#"{"a": 1, "b": 2} x"#, MembersError::NotAnObject),
            (r#"{"a": 1}"#, B.wrong(Reason::Required)),
            (r#"{"a": 1, "b": 2, "a": 1}"#, A.wrong(Reason::Repeated)),
            (r#"{"a": 1, "b": 2, "\u0062": 1}"#, B.wrong(Reason::Repeated)),
            (r#"{"a": 1, "b": 2, "c": 1}"#, MembersError::Unknown("`a` and `b`")),
        ] {
            assert_eq!(read(body.as_bytes()), Err(error), "{body}");
        }
        assert_eq!(read(b"{\xff}"), Err(MembersError::NotAnObject));
        let many = format!("{{{}}}", vec![r#""a": 1"#; MANY + 1].join(","));
        assert_eq!(read(many.as_bytes()), Err(MembersError::NotAnObject));
    }

    #[test]
    fn a_message_names_the_member_and_its_rule() {
        let error = A.wrong(Reason::OutOfRange);
        assert_eq!(
            (error.to_string().as_str(), error.reason(), error.field()),
            ("`a` is a", "out_of_range", Some("a"))
        );
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&body);
        }
    }
}
