//! The ids of events.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::locations::place::{NoPlace, Place};

/// The id of an event: of what was accepted at a place, or of the `k`-th that is no fix after it.
///
/// As text, in JSON too, it is `epoch.seq`, or `epoch.seq.k`. Whatever has one can be found again by it, as long as it is kept: `k` is
/// how many places of the log it comes after that of the fix, or after the beginning of its life where that has no fix yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark {
    /// The last fix up to there; its seq is 0 where there is none in this life.
    pub place: Place,
    /// From 1; 0 is the fix itself.
    pub k: u64,
}

impl Mark {
    /// Reads `epoch.seq` or `epoch.seq.k`, in the one spelling that it has. It need not be the id of any event.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(place) = Place::parse(text) {
            return Some(Self { place, k: 0 });
        }
        let (place, k) = text.rsplit_once('.')?;
        // The same rule as that of a seq.
        let k = Place::parse(&format!("0.{k}"))?.seq;
        Some(Self { place: Place::parse(place)?, k }).filter(|mark| mark.k > 0)
    }
}

impl TryFrom<String> for Mark {
    type Error = NoPlace;
    fn try_from(text: String) -> Result<Self, NoPlace> {
        Self::parse(&text).ok_or(NoPlace)
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

/// What each text of an id looks like, as far as [`Place`]'s does.
#[cfg(test)]
const PATTERN: &str = r"(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})\.(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})(\.([1-9][0-9]{0,14}|[1-8][0-9]{15}))?";

#[cfg(test)]
impl schemars::JsonSchema for Mark {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "MarkText".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": format!("^{PATTERN}$")})
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.k {
            0 => self.place.fmt(f),
            k => write!(f, "{}.{k}", self.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        for text in ["0.0", "1700000000.1", "1700000000.0.1", "1.2.9007199254740992"] {
            assert_eq!(Mark::parse(text).map(|mark| mark.to_string()).as_deref(), Some(text));
        }
        for text in [
            "",
            "1",
            "1.",
            "1.2.",
            "1.2.0",
            "1.2.01",
            "1.2.+1",
            "1.2.-1",
            "1.2.3.4",
            ".1.2",
            "1..2",
            " 1.2.3",
            "1.2.3 ",
            "1.2.9007199254740993",
            "01.2.3",
            "1.2.x",
        ] {
            assert_eq!(Mark::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_pattern_matches_is_one(text in PATTERN) {
            prop_assert!(Mark::parse(&text).is_some());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = Mark::parse(&text);
        }
    }
}
