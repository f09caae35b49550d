//! The roles: the one list of them. `crates/policy` names those that can get a token, and a test holds the two together.

use serde::{Deserialize, Serialize};

/// What a user is to the platform. It decides, with the policy, what a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Drives to jobs and posts fixes.
    Driver,
    /// Sees all jobs and hands them out.
    Dispatcher,
    /// Waits for the truck.
    Customer,
    /// Runs the platform.
    Admin,
    /// The platform's own back end. It gets no Ably token.
    Service,
}

impl Role {
    /// Every role.
    pub const ALL: &[Self] = &[Self::Driver, Self::Dispatcher, Self::Customer, Self::Admin, Self::Service];

    /// The role as it stands in a session's `role` claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Dispatcher => "dispatcher",
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The names of all roles, for a message.
    pub fn names() -> String {
        Self::ALL.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// The role of that name, in exactly that spelling.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == text)
    }
}
