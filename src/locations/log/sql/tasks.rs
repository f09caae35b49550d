//! Tasks as rows of SQL. What they consist of is JSON, so that fields are added without a rewrite.

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::index::List;
use crate::jobs::news::News;
use crate::jobs::revocation::Revocation;
use crate::locations::log::{LogError, Task, Trouble, Unnotified, Untold};
use crate::objects::sql::{Record, Sql, SqlValue, Statement, count};
use crate::objects::{Cause, Millis};
use crate::operations::Report;
use crate::operations::queue::Queued;

/// What must still be done elsewhere, and when it is tried next.
pub(crate) const CREATE: Statement = "CREATE TABLE IF NOT EXISTS tasks (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, due INTEGER NOT NULL, \
        failures INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL)";
const ALL: Statement = "SELECT kind, id, due, failures, body FROM tasks ORDER BY id";
const PUT: Statement = "INSERT OR REPLACE INTO tasks (id, kind, due, failures, body) VALUES (?, ?, ?, ?, ?)";
const END: Statement =
    "DELETE FROM tasks WHERE id = ? AND kind IN ('publish', 'report', 'resend', 'revoke', 'list', 'notify')";
const KEEP_THOSE_OF_FORGETTING: Statement =
    "DELETE FROM tasks WHERE kind NOT IN ('publish', 'revoke', 'forget', 'list', 'notify')";

const PUBLISH: &str = "publish";
const REPORT: &str = "report";
const RESEND: &str = "resend";
const REVOKE: &str = "revoke";
const FORGET: &str = "forget";
const LIST: &str = "list";
const NOTIFY: &str = "notify";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Publish {
    cause: Cause,
    #[serde(default)]
    held: u32,
    since: Option<Millis>,
    #[serde(default)]
    is_told: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resend {
    first_n: u64,
    last_n: u64,
}

#[derive(Serialize, Deserialize)]
struct Lists {
    rev: u64,
    lists: Vec<List>,
}

#[derive(Serialize, Deserialize)]
struct Notify {
    version: u64,
    news: Vec<(UserId, News)>,
}

/// All of them that this build knows: another build's are for it to do.
pub(crate) fn all(sql: &impl Sql) -> Result<Vec<(u64, Task)>, LogError> {
    let mut tasks = Vec::new();
    for row in sql.exec(ALL, vec![])? {
        let mut record = Record::new(row);
        let kind = record.text("tasks.kind")?;
        let (id, until) = (record.count("tasks.id")?, record.integer("tasks.due")?);
        let failures = u32::try_from(record.count("tasks.failures")?).unwrap_or(u32::MAX);
        let body = record.text("tasks.body")?;
        let task = match kind.as_str() {
            PUBLISH => serde_json::from_str(&body).map(|Publish { cause, held, since, is_told }| {
                let since = since.unwrap_or(until);
                Task::Publish(Trouble { cause, until, failures, held, since, is_told })
            }),
            REPORT => serde_json::from_str(&body)
                .map(|report: Report| Task::Report(Queued { id, report, due: until })),
            RESEND => {
                serde_json::from_str(&body).map(|Resend { first_n, last_n }| Task::Resend { first_n, last_n })
            }
            REVOKE => serde_json::from_str(&body)
                .map(|revocation| Task::Revoke(Revocation { due: until, failures, ..revocation })),
            FORGET => Ok(Task::Forget { by: until }),
            LIST => serde_json::from_str(&body)
                .map(|Lists { rev, lists }| Task::List(Untold { rev, lists, due: until, failures })),
            NOTIFY => serde_json::from_str(&body).map(|Notify { version, news }| {
                Task::Notify(Unnotified { version, news, due: until, failures })
            }),
            _ => continue,
        };
        // One that cannot be read is as one that was never written: the outbox begins anew, or is asked again.
        tasks.extend(task.ok().map(|task| (id, task)));
    }
    Ok(tasks)
}

pub(crate) fn put(sql: &impl Sql, id: u64, task: &Task) -> Result<(), LogError> {
    let (kind, due, failures, body) = match task {
        Task::Publish(Trouble { cause, until, failures, held, since, is_told }) => {
            let publish = Publish { cause: *cause, held: *held, since: Some(*since), is_told: *is_told };
            (PUBLISH, *until, *failures, serde_json::to_string(&publish))
        }
        Task::Report(queued) => (REPORT, queued.due, 0, serde_json::to_string(&queued.report)),
        Task::Resend { first_n, last_n } => {
            (RESEND, 0, 0, serde_json::to_string(&Resend { first_n: *first_n, last_n: *last_n }))
        }
        Task::Revoke(revocation) => {
            (REVOKE, revocation.due, revocation.failures, serde_json::to_string(revocation))
        }
        Task::Forget { by } => (FORGET, *by, 0, Ok("{}".to_owned())),
        Task::List(Untold { rev, lists, due, failures }) => {
            (LIST, *due, *failures, serde_json::to_string(&Lists { rev: *rev, lists: lists.clone() }))
        }
        Task::Notify(Unnotified { version, news, due, failures }) => {
            let notify = Notify { version: *version, news: news.clone() };
            (NOTIFY, *due, *failures, serde_json::to_string(&notify))
        }
    };
    let body = body.map_err(|_| LogError::Damaged("a task"))?;
    let values = vec![
        count(id),
        SqlValue::Text(kind.to_owned()),
        SqlValue::Integer(due),
        SqlValue::Integer(failures.into()),
        SqlValue::Text(body),
    ];
    sql.exec(PUT, values)?;
    Ok(())
}

pub(crate) fn end(sql: &impl Sql, id: u64) -> Result<(), LogError> {
    sql.exec(END, vec![count(id)])?;
    Ok(())
}

/// Forgets those that a job which is forgotten has no use for, another build's included.
pub(super) fn forget(sql: &impl Sql) -> Result<(), LogError> {
    sql.exec(KEEP_THOSE_OF_FORGETTING, vec![])?;
    Ok(())
}
