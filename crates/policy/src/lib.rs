//! The policy that decides what each role may do on which channel: `policy.toml`, checked and compiled.
//!
//! [`Policy::parse`] reads the file and refuses, with the line, whatever would grant more than its author meant.
//! [`generate::rust`] turns a policy into Rust source that the root package's build script writes and its `tokens::policy`
//! includes, so that neither a TOML parser nor an unchecked policy reaches the Worker. [`report`] shows a policy to people.

mod pattern;
mod read;
mod rules;

pub mod generate;
pub mod report;

use std::fmt;

use ably::Operation;

pub use pattern::{Pattern, PatternError, Segment};

/// The policy's file name, as errors give it. It sits at the root of the repository.
pub const FILE: &str = "policy.toml";

/// The channel on which the service publishes a job's positions.
pub const JOB_CHANNEL: &str = "dispatch:job:{jobId}";

/// All of these.
const JOB_CHANNELS: &str = "dispatch:job:*";

/// The channel on which the service tells one user.
pub const NOTIFICATION_CHANNEL: &str = "notifications:user:{userId}";

/// All of these.
const NOTIFICATION_CHANNELS: &str = "notifications:user:*";

/// The channel on which the service tells operators what they should know.
pub const OPERATIONS_CHANNEL: &str = "admin:ops";

/// A role that can get a token. `service` is none of them: the platform's back end gets no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Drives to jobs and posts fixes.
    Driver,
    /// Sees all jobs and hands them out.
    Dispatcher,
    /// Waits for the truck.
    Customer,
    /// Runs the platform.
    Admin,
}

impl Role {
    /// Every role that can get a token.
    pub const ALL: &[Self] = &[Self::Driver, Self::Dispatcher, Self::Customer, Self::Admin];

    /// The role's name in `policy.toml` and in a session's `role` claim.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Dispatcher => "dispatcher",
            Self::Customer => "customer",
            Self::Admin => "admin",
        }
    }
}

/// One line of the policy: what a role may do on the channels of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Who.
    pub role: Role,
    /// Where.
    pub pattern: Pattern,
    /// What: at least one, each once, in the order of their names.
    pub operations: Vec<Operation>,
    /// Those of `operations` that the author marked as intended.
    pub intended: Vec<Operation>,
    /// The line of the policy that says so, counted from 1.
    pub line: usize,
}

/// A policy that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    grants: Vec<Grant>,
}

impl Policy {
    /// Reads and checks the text of `policy.toml`.
    ///
    /// # Errors
    /// Every rule that the text breaks, in the order of their lines.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyError>> {
        let (grants, mut errors) = read::grants(text);
        errors.extend(rules::check(&grants));
        errors.sort();
        errors.dedup();
        if errors.is_empty() { Ok(Self { grants }) } else { Err(errors) }
    }

    /// The grants, in the order of their lines.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// The grants of one role, in the order of their lines.
    pub fn grants_of(&self, role: Role) -> impl Iterator<Item = &Grant> {
        self.grants.iter().filter(move |grant| grant.role == role)
    }
}

/// A rule that a policy breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyError {
    /// The line, counted from 1.
    pub line: usize,
    /// The rule, and what to write instead.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{FILE}:{}: {}", self.line, self.message)
    }
}

impl std::error::Error for PolicyError {}
