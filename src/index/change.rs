//! What a job tells a list.

use serde::{Deserialize, Serialize};

use crate::ids::{DispatchId, IdError, JobId, UserId};
use crate::objects::Millis;

/// A list of jobs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum List {
    /// All jobs that go on.
    Open,
    /// Those of them in which a user takes part.
    Of(UserId),
}

/// What the name of a user's list begins with.
const OF: &str = "user:";
const OPEN: &str = "open";

impl List {
    /// What its object is found by: no user's list has the name of another list, since all of theirs begin alike.
    pub fn name(&self) -> String {
        match self {
            Self::Open => OPEN.to_owned(),
            Self::Of(user) => format!("{OF}{user}"),
        }
    }
}

impl From<List> for String {
    fn from(list: List) -> Self {
        list.name()
    }
}

impl TryFrom<String> for List {
    type Error = IdError;

    fn try_from(name: String) -> Result<Self, IdError> {
        match name.strip_prefix(OF) {
            Some(user) => UserId::parse(user).map(Self::Of),
            None if name == OPEN => Ok(Self::Open),
            None => Err(IdError::User),
        }
    }
}

/// How a job is now, as far as a list is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The job.
    pub job: JobId,
    /// Counts the job's changes. What is older than what is there is ignored.
    pub rev: u64,
    /// What is listed of it; nothing where it is not any more.
    pub entry: Option<Entry>,
}

/// What is listed of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// When the job ends by itself, Unix milliseconds: from then on it is not told.
    pub ends_at: Millis,
    /// By which dispatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispatch_id: Option<DispatchId>,
    /// What is told of it, as JSON. The list does not read it.
    pub told: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_by_its_name() {
        for list in [List::Open, List::Of(UserId::parse("open").unwrap())] {
            let name = serde_json::to_string(&list).unwrap();
            assert_eq!(serde_json::from_str::<List>(&name).unwrap(), list);
        }
        for name in ["\"\"", "\"closed\"", "\"user:\"", "\"user:a:b\"", "\"ann\""] {
            assert!(serde_json::from_str::<List>(name).is_err(), "{name}");
        }
    }
}
