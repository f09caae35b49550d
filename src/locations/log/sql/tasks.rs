//! Tasks as rows of SQL. What they consist of is JSON, so that fields are added without a rewrite.

use serde::{Deserialize, Serialize};

use super::record::{Record, Statement, count};
use super::{Sql, SqlValue};
use crate::locations::log::{Cause, LogError, Task, Trouble};

const ALL: Statement = "SELECT kind, id, due, failures, body FROM tasks ORDER BY id";
const PUT: Statement = "INSERT OR REPLACE INTO tasks (id, kind, due, failures, body) VALUES (?, ?, ?, ?, ?)";
const END: Statement = "DELETE FROM tasks WHERE id = ? AND kind IN ('publish', 'resend')";

const PUBLISH: &str = "publish";
const RESEND: &str = "resend";

#[derive(Serialize, Deserialize)]
struct Publish {
    cause: Cause,
    #[serde(default)]
    held: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Resend {
    first_n: u64,
    last_n: u64,
}

/// All of them that this build knows: another build's are for it to do.
pub(super) fn all(sql: &impl Sql) -> Result<Vec<(u64, Task)>, LogError> {
    let mut tasks = Vec::new();
    for row in sql.exec(ALL, vec![])? {
        let mut record = Record::new(row);
        let kind = record.text("tasks.kind")?;
        if ![PUBLISH, RESEND].contains(&kind.as_str()) {
            continue;
        }
        let (id, until) = (record.count("tasks.id")?, record.integer("tasks.due")?);
        let failures = u32::try_from(record.count("tasks.failures")?).unwrap_or(u32::MAX);
        let body = record.text("tasks.body")?;
        let task = if kind == PUBLISH {
            let publish = serde_json::from_str(&body);
            publish.map(|Publish { cause, held }| Task::Publish(Trouble { cause, until, failures, held }))
        } else {
            let resend = serde_json::from_str(&body);
            resend.map(|Resend { first_n, last_n }| Task::Resend { first_n, last_n })
        };
        // One that cannot be read is as one that was never written: the outbox begins anew, or is asked again.
        tasks.extend(task.ok().map(|task| (id, task)));
    }
    Ok(tasks)
}

pub(super) fn put(sql: &impl Sql, id: u64, task: &Task) -> Result<(), LogError> {
    let (kind, due, failures, body) = match task {
        Task::Publish(Trouble { cause, until, failures, held }) => {
            let body = serde_json::to_string(&Publish { cause: *cause, held: *held });
            (PUBLISH, *until, *failures, body)
        }
        Task::Resend { first_n, last_n } => {
            (RESEND, 0, 0, serde_json::to_string(&Resend { first_n: *first_n, last_n: *last_n }))
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

pub(super) fn end(sql: &impl Sql, id: u64) -> Result<(), LogError> {
    sql.exec(END, vec![count(id)])?;
    Ok(())
}
