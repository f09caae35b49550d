//! What a job keeps: a log of one row a post, which lives its sequence has had, and how far Ably has confirmed the log.
//!
//! Rows may be deleted from the front, but the last one stays: it says how far all has come.
//!
//! `n` orders all that leaves, one for each fix and for each message that is none; seqs count the fixes of one life. What a row
//! says of all rows before it are its [`Pointers`], so that whoever wakes need not read those.

use thiserror::Error;

use self::past::Past;
use super::print::Print;
use crate::ids::{JobId, UserId};
use crate::jobs::Registration;
use crate::jobs::vitals::Vitals;
use crate::objects::Millis;
use crate::objects::sql::{StorageError, Unreadable};

pub mod past;
mod pending;
mod row;
pub mod sql;

#[cfg(test)]
pub(crate) mod memory;

pub use self::pending::{
    FORGET_TASK, LIST_TASK, NOTIFY_TASKS, PUBLISH_TASK, RESEND_TASKS, REVOKE_TASKS, SetAside, Task, Trouble,
    Unnotified, Untold,
};
pub use self::row::{Accepted, Content, Kept, Pointers, Ready, Row, Time};

/// Which life of which job's sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The job.
    pub job: JobId,
    /// The Unix time in seconds at which this life began, or one more than the epoch before, whichever is later.
    pub epoch: u64,
}

/// How far the outbox has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// Every `n` up to this one has been confirmed by Ably, or set aside.
    pub sent: u64,
    /// The last `n` of the next message, once that is decided. It is written down before the message leaves, and stays until `sent`
    /// moves: so of two positions, that is the later which is the greater.
    pub infl: Option<u64>,
}

/// What a job's object finds when it wakes.
#[derive(Debug, Clone, PartialEq)]
pub enum Waking {
    /// Nothing was ever accepted.
    Untouched,
    /// A life has begun.
    Begun {
        /// The last one.
        life: Life,
        /// Whose it is, where that is registered.
        driver: Option<UserId>,
        /// The last row, which may be of an earlier life. There is none where all were deleted.
        last: Option<Box<Row>>,
        /// How far Ably has confirmed the log, as far as that was written down.
        position: Position,
        /// What must still be done, each with what it is known by.
        tasks: Vec<(u64, Task)>,
        /// What is registered, where the job is.
        registration: Option<Box<Registration>>,
        /// What is known of its driver beside the log, where that was ever written down.
        vitals: Option<Box<Vitals>>,
    },
    /// Its trail has gone with its time. The job goes on, and nothing is known of it but the epoch of its last life.
    Emptied {
        /// That epoch.
        epoch: u64,
    },
    /// The job is closed for ever, and forgotten.
    Forgotten {
        /// The epoch of its last life.
        epoch: u64,
        /// What may not be forgotten yet.
        held: Option<Box<Held>>,
    },
}

/// What is still kept of a job that is forgotten: it has to leave, or to be undone, before it goes too.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// The row that may still have to leave.
    pub last: Option<Box<Row>>,
    /// How far Ably has confirmed the log.
    pub position: Position,
    /// What must still be done, each with what it is known by.
    pub tasks: Vec<(u64, Task)>,
}

/// How a job begins to be forgotten.
#[derive(Debug, Clone, PartialEq)]
pub struct Forgetting {
    /// When all goes, whatever has left by then, Unix milliseconds.
    pub by: Millis,
    /// Nothing up to this `n` leaves any more.
    pub sent: u64,
    /// The one row that still has to.
    pub last: Option<Row>,
}

/// Why the log cannot be read or written. For our own log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogError {
    /// The storage refused.
    #[error("storage: {0}")]
    Storage(#[from] StorageError),
    /// A newer version of this service has written it, and says that it takes something to touch it which this build has not.
    #[error("a newer build has written the log, and this one does not know {0}")]
    Newer(String),
    /// What was read is not what is ever written.
    #[error("the log is damaged: {0}")]
    Damaged(&'static str),
    /// The object of one job was asked about another.
    #[error("this object is another job's")]
    OtherJob,
}

impl From<Unreadable> for LogError {
    fn from(Unreadable(column): Unreadable) -> Self {
        Self::Damaged(column)
    }
}

impl LogError {
    /// The stable code under which it is logged.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Storage(_) => "storage_failed",
            Self::Newer(_) => "storage_newer",
            Self::Damaged(_) => "storage_damaged",
            Self::OtherJob => "storage_foreign",
        }
    }
}

/// What a job is kept in. All of it is synchronous: writes with nothing awaited between them become durable together.
pub trait Log: Past {
    /// Reads what is needed to go on. It creates nothing, but brings what an older build has written into today's form.
    ///
    /// # Errors
    /// [`LogError`]
    fn wake(&mut self) -> Result<Waking, LogError>;

    /// Begins a life whose first row will be at `first_n`, and says whose it is where that is registered: makes the tables where there
    /// are none. [`append`](Log::append) follows at once.
    ///
    /// # Errors
    /// [`LogError`]; what was written until then does no harm, and the same or another life may begin.
    fn begin(&mut self, life: &Life, first_n: u64, driver: Option<&UserId>) -> Result<(), LogError>;

    /// Writes down what is registered, once a life has begun.
    ///
    /// # Errors
    /// [`LogError`]
    fn register(&mut self, registration: &Registration) -> Result<(), LogError>;

    /// Writes down what is known of the driver beside the log, once a life has begun.
    ///
    /// # Errors
    /// [`LogError`]
    fn keep_vitals(&mut self, vitals: &Vitals) -> Result<(), LogError>;

    /// The epochs of the lives that are registered as this driver's.
    ///
    /// # Errors
    /// [`LogError`]
    fn lives_of(&self, driver: &UserId) -> Result<Vec<u64>, LogError>;

    /// Closes the job for ever and forgets it, but for what may not be forgotten yet: that it is, the row that has to leave, what is to be
    /// revoked, which lists and which users have yet to be told, and why nothing leaves, where nothing does.
    ///
    /// # Errors
    /// [`LogError`]; whatever was done until then stays done, and is done again at no harm.
    fn forget(&mut self, forgetting: &Forgetting) -> Result<(), LogError>;

    /// Forgets all but the last epoch and whether the job is closed for ever.
    ///
    /// # Errors
    /// The same.
    fn clear(&mut self) -> Result<(), LogError>;

    /// Adds a row and, with it, what a retry of it is recognised by and how far the outbox has come.
    ///
    /// # Errors
    /// [`LogError`]; the row is not there then.
    fn append(&mut self, row: &Row, prints: &[Print], position: Position) -> Result<(), LogError>;

    /// Writes down how far the outbox has come, without a row.
    ///
    /// # Errors
    /// [`LogError`]
    fn confirm(&mut self, position: Position) -> Result<(), LogError>;

    /// Writes down that a message is given up, and how far the outbox has come with that. One that was given up before is given up
    /// for another reason.
    ///
    /// # Errors
    /// [`LogError`]
    fn set_aside(&mut self, message: &SetAside, position: Position) -> Result<(), LogError>;

    /// Writes down that a message that was given up has reached Ably after all.
    ///
    /// # Errors
    /// [`LogError`]
    fn reached(&mut self, first_n: u64) -> Result<(), LogError>;

    /// At most `limit` messages that were given up and begin after this `n`, in order.
    ///
    /// # Errors
    /// [`LogError`]
    fn given_up_after(&self, n: u64, limit: u32) -> Result<Vec<SetAside>, LogError>;

    /// Writes down a task, in the place of one that is known by the same.
    ///
    /// # Errors
    /// [`LogError`]
    fn put_task(&mut self, id: u64, task: &Task) -> Result<(), LogError>;

    /// Forgets a task.
    ///
    /// # Errors
    /// [`LogError`]
    fn end_task(&mut self, id: u64) -> Result<(), LogError>;

    /// Tells what all fixes in the log are recognised by, and all events of the platform's, each with the `n` of its row.
    ///
    /// # Errors
    /// [`LogError`]
    fn prints(&self, each: &mut dyn FnMut(Print, u64)) -> Result<(), LogError>;

    /// The rows that end at these `n`, in order, and no other.
    ///
    /// # Errors
    /// [`LogError`]
    fn rows(&self, ns: &[u64]) -> Result<Vec<Row>, LogError>;

    /// At most `limit` rows that end after this `n`, in order.
    ///
    /// # Errors
    /// [`LogError`]
    fn rows_after(&self, n: u64, limit: u32) -> Result<Vec<Row>, LogError>;
}
