//! What the namespace of a channel switches on.

use serde::Serialize;

use crate::clock::Millis;

/// How long a channel remembers what happened on it, unless its namespace says otherwise.
const KEPT: Millis = 120_000;
/// How long a channel of a persisted namespace remembers.
const KEPT_PERSISTED: Millis = 24 * 3_600_000;

/// The rules of a channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Rules {
    /// History goes back for a day, not for two minutes, as far as there is room.
    pub(crate) persisted: bool,
    /// Messages may be updated, deleted, appended to and annotated, which keeps them too.
    pub(crate) mutable: bool,
}

impl Rules {
    /// How long things are remembered.
    pub(super) fn kept(self) -> Millis {
        if self.persisted || self.mutable { KEPT_PERSISTED } else { KEPT }
    }
}
