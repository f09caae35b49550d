//! Who asks a job's object for something.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::sessions::{Role, Session};

/// Whoever asks, by their verified session. It reaches an object in the typed request alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// What they are to the platform.
    pub role: Role,
    /// Who they are.
    pub user: UserId,
}

impl Viewer {
    /// Whoever a session is of.
    pub fn of(session: &Session) -> Self {
        Self { role: session.role, user: session.user.clone() }
    }
}
