//! Where in a job's order a fix is, in the words of those who read.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The greatest integer up to which JSON's numbers are exact everywhere.
const NUMBER_MAX: u64 = 1 << 53;

/// The place of a fix in its job's order. Epochs only grow, and a seq counts within one. The default is before all.
///
/// As text, in JSON too, it is `epoch.seq`, by which readers say how far they have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place {
    /// Which life of the job's sequence.
    pub epoch: u64,
    /// The place in that life, from 1; 0 is before its first fix.
    pub seq: u64,
}

impl Place {
    /// Reads `epoch.seq`, in the one spelling that it has. It need not be the place of any fix.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = text.split_once('.')?;
        let place = Self { epoch: epoch.parse().ok()?, seq: seq.parse().ok()? };
        let is_exact = place.epoch <= NUMBER_MAX && place.seq <= NUMBER_MAX;
        Some(place).filter(|place| is_exact && place.to_string() == text)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no place in a job's order")]
pub struct NoPlace;

impl TryFrom<String> for Place {
    type Error = NoPlace;
    fn try_from(text: String) -> Result<Self, NoPlace> {
        Self::parse(&text).ok_or(NoPlace)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

/// What each text of a place looks like; but for the last few below 2⁵³, which no clock and no job gets to.
#[cfg(test)]
pub(crate) const PATTERN: &str = r"(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})\.(0|[1-9][0-9]{0,14}|[1-8][0-9]{15})";

#[cfg(test)]
impl schemars::JsonSchema for Place {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PlaceText".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": format!("^{PATTERN}$")})
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_has_one_spelling() {
        for text in ["0.0", "1700000000.1", "9007199254740992.9007199254740992"] {
            assert_eq!(Place::parse(text).map(|place| place.to_string()).as_deref(), Some(text));
        }
        for text in [
            "", ".", "1", "1.", ".1", "1.2.3", "+1.2", "1.+2", "01.2", "1.02", "-1.2", "1.-2", " 1.2", "1.2 ",
        ] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
        for text in ["1,2", "1e3.2", "0x1.2", "9007199254740993.1", "1.99999999999999999999", "١.٢"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_the_pattern_matches_is_one(text in PATTERN) {
            prop_assert!(Place::parse(&text).is_some());
        }

        #[test]
        fn no_text_makes_it_panic(text in ".*") {
            let _ = Place::parse(&text);
        }
    }
}
