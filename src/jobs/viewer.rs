//! Who asks a job's object for something.

use serde::{Deserialize, Serialize};

use super::registry::JobRegistry;
use crate::ids::UserId;
use crate::sessions::{Role, Session};

/// Whoever asks, by their verified session. It reaches an object in the typed request alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// What they are to the platform.
    pub role: Role,
    /// Who they are.
    pub user: UserId,
    /// Whether the registry alone lets them in: a job that is not registered is none of theirs then. Where it does not, whoever
    /// asks for them has looked at their claim.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registry_alone: bool,
}

impl Viewer {
    /// Whoever a session is of.
    pub fn of(session: &Session, registry: JobRegistry) -> Self {
        let Session { role, ref user, .. } = *session;
        Self { role, user: user.clone(), registry_alone: registry.alone_lets_in(role) }
    }
}
