//! The bits of a frame's `flags` (features.md, TR3), and the channel modes among them.

use std::ops::{BitAnd, BitOr};

use ably::{Operation, Operations};
use serde::{Deserialize, Serialize};

/// The flags of a frame.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Flags(u64);

impl Flags {
    pub(crate) const HAS_PRESENCE: Self = Self(1 << 0);
    pub(crate) const HAS_BACKLOG: Self = Self(1 << 1);
    pub(crate) const RESUMED: Self = Self(1 << 2);
    pub(crate) const ATTACH_RESUME: Self = Self(1 << 5);

    pub(crate) fn has(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }

    /// These flags, and that one if the condition holds.
    pub(crate) fn with(self, flag: Self, condition: bool) -> Self {
        if condition { Self(self.0 | flag.0) } else { self }
    }
}

impl From<u64> for Flags {
    fn from(bits: u64) -> Self {
        Self(bits)
    }
}

impl From<Modes> for Flags {
    fn from(modes: Modes) -> Self {
        Self(modes.0)
    }
}

/// What an attachment may do, or was asked to do. Bit for bit those of [`Flags`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Modes(u64);

/// Each mode: its bit, its name in `params.modes`, and the operation that allows it.
const MODES: [(Modes, &str, Operation); 8] = [
    (Modes::PRESENCE, "presence", Operation::Presence),
    (Modes::PUBLISH, "publish", Operation::Publish),
    (Modes::SUBSCRIBE, "subscribe", Operation::Subscribe),
    (Modes::PRESENCE_SUBSCRIBE, "presence_subscribe", Operation::Subscribe),
    (Modes::ANNOTATION_PUBLISH, "annotation_publish", Operation::AnnotationPublish),
    (Modes::ANNOTATION_SUBSCRIBE, "annotation_subscribe", Operation::AnnotationSubscribe),
    (Modes::OBJECT_SUBSCRIBE, "object_subscribe", Operation::ObjectSubscribe),
    (Modes::OBJECT_PUBLISH, "object_publish", Operation::ObjectPublish),
];

impl Modes {
    pub(crate) const PRESENCE: Self = Self(1 << 16);
    pub(crate) const PUBLISH: Self = Self(1 << 17);
    pub(crate) const SUBSCRIBE: Self = Self(1 << 18);
    pub(crate) const PRESENCE_SUBSCRIBE: Self = Self(1 << 19);
    pub(crate) const ANNOTATION_PUBLISH: Self = Self(1 << 21);
    pub(crate) const ANNOTATION_SUBSCRIBE: Self = Self(1 << 22);
    pub(crate) const OBJECT_SUBSCRIBE: Self = Self(1 << 24);
    pub(crate) const OBJECT_PUBLISH: Self = Self(1 << 25);

    /// What an attachment gets that names no modes.
    pub(crate) const DEFAULT: Self = Self(
        Self::PRESENCE.0
            | Self::PUBLISH.0
            | Self::SUBSCRIBE.0
            | Self::PRESENCE_SUBSCRIBE.0
            | Self::ANNOTATION_PUBLISH.0,
    );

    /// What an ATTACH asks for: `params.modes` before the flags before the default. Names that mean nothing are passed over.
    pub(crate) fn requested(names: Option<&str>, flags: Flags) -> Self {
        if let Some(names) = names {
            return names.split(',').map(|name| Self::named(name.trim())).fold(Self(0), BitOr::bitor);
        }
        match MODES.iter().map(|(mode, ..)| Self(mode.0 & flags.0)).fold(Self(0), BitOr::bitor) {
            Self(0) => Self::DEFAULT,
            modes => modes,
        }
    }

    fn named(name: &str) -> Self {
        let name = name.to_ascii_lowercase().replace('-', "_");
        MODES.iter().find(|(_, known, _)| *known == name).map_or(Self(0), |(mode, ..)| *mode)
    }

    /// What operations allow.
    pub(crate) fn allowed_by(operations: &Operations) -> Self {
        let allowed = MODES.iter().filter(|(.., operation)| operations.allow(*operation));
        allowed.map(|(mode, ..)| *mode).fold(Self(0), BitOr::bitor)
    }

    pub(crate) fn has(self, mode: Self) -> bool {
        self.0 & mode.0 == mode.0
    }

    /// The name of one mode, as `params.modes` has it.
    pub(crate) fn name(self) -> &'static str {
        MODES.iter().find(|(mode, ..)| *mode == self).map_or("", |(_, name, _)| name)
    }

    /// The names of the modes, as `params.modes` has them.
    pub(crate) fn names(self) -> Vec<&'static str> {
        MODES.iter().filter(|(mode, ..)| self.has(*mode)).map(|(_, name, _)| *name).collect()
    }

    /// These modes, but for those.
    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitAnd for Modes {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Modes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_beat_flags_beat_the_default() {
        let publish = Flags::from(Modes::PUBLISH);
        assert_eq!(Modes::requested(None, Flags::default()), Modes::DEFAULT);
        assert_eq!(Modes::requested(None, publish), Modes::PUBLISH);
        assert_eq!(
            Modes::requested(Some("subscribe, presence"), publish),
            Modes::SUBSCRIBE | Modes::PRESENCE
        );
        assert_eq!(Modes::requested(Some("PRESENCE_SUBSCRIBE"), publish), Modes::PRESENCE_SUBSCRIBE);
        assert!(Modes::requested(Some("nonsense"), publish).is_empty());
    }

    #[test]
    fn subscribe_allows_presence_subscribe_too() {
        let operations = Operations::parse(&["subscribe"]).unwrap();
        assert_eq!(Modes::allowed_by(&operations), Modes::SUBSCRIBE | Modes::PRESENCE_SUBSCRIBE);
        let everything = Modes::allowed_by(&Operations::All);
        assert!(MODES.iter().all(|(mode, ..)| everything.has(*mode)));
    }
}
