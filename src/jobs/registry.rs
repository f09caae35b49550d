//! Who decides whether somebody takes part in a job.

use crate::sessions::Role;

/// Who decides whether somebody takes part in a job.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum JobRegistry {
    /// The session has to list the job, and where it is registered its object has to agree.
    #[default]
    On,
    /// The session alone.
    Off,
    /// The registry alone: what a session lists neither lets in nor keeps out, and a job that is not registered is nobody's.
    Required,
}

impl JobRegistry {
    /// Whether it alone says which jobs are a role's. A role of all jobs is not asked about.
    pub fn alone_lets_in(self, role: Role) -> bool {
        self == Self::Required && matches!(role, Role::Driver | Role::Customer)
    }

    /// Whether a job's object is asked for its word on somebody of a role, whose session lists it or does not.
    pub fn asks(self, role: Role, is_listed: bool) -> bool {
        self != Self::Off && (is_listed || self.alone_lets_in(role))
    }
}
