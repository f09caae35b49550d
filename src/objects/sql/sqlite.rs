//! A real SQLite, for tests.

use std::cell::Cell;
use std::rc::Rc;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ToSql};

use super::*;

/// A real SQLite in memory. Clones share it, so that a log can be opened again.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite(Rc<Connection>);

impl Sqlite {
    pub(crate) fn new() -> Self {
        Self(Rc::new(Connection::open_in_memory().unwrap()))
    }

    /// What a database holds that is kept as a file.
    pub(crate) fn load(bytes: &[u8]) -> Self {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.deserialize_read_exact("main", bytes, bytes.len(), false).unwrap();
        Self(Rc::new(connection))
    }

    /// How many rows were ever inserted, changed or deleted: what storage is billed by.
    pub(crate) fn rows_written(&self) -> u64 {
        self.0.total_changes()
    }

    pub(crate) fn tables(&self) -> i64 {
        self.0.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).unwrap()
    }

    /// Changes what is kept, as nothing of ours does.
    pub(crate) fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }
}

impl ToSql for SqlValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Real(value) => ToSqlOutput::Owned(Value::Real(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Blob(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

impl Sql for Sqlite {
    fn exec(
        &self,
        statement: &'static str,
        params: Vec<SqlValue>,
    ) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        let fault = |error: rusqlite::Error| StorageError(error.to_string());
        let mut statement = self.0.prepare_cached(statement).map_err(fault)?;
        let columns = statement.column_count();
        let mut found = statement.query(rusqlite::params_from_iter(params)).map_err(fault)?;
        let mut rows = Vec::new();
        while let Some(row) = found.next().map_err(fault)? {
            let value = |column| match row.get_ref(column).unwrap() {
                ValueRef::Null => SqlValue::Null,
                // As Workers does: every number is a float.
                ValueRef::Integer(value) => SqlValue::Real(value as f64),
                ValueRef::Real(value) => SqlValue::Real(value),
                ValueRef::Text(text) => SqlValue::Text(String::from_utf8(text.to_vec()).unwrap()),
                ValueRef::Blob(bytes) => SqlValue::Blob(bytes.to_vec()),
            };
            rows.push((0..columns).map(value).collect());
        }
        Ok(rows)
    }
}

/// The same, which refuses the statements that begin in a certain way.
#[derive(Debug, Clone)]
pub(crate) struct Picky {
    pub(crate) sqlite: Sqlite,
    refused: Rc<Cell<Option<&'static str>>>,
}

impl Picky {
    pub(crate) fn new() -> Self {
        Self { sqlite: Sqlite::new(), refused: Rc::default() }
    }

    /// From now on these, and no others.
    pub(crate) fn refuses(&self, beginning: impl Into<Option<&'static str>>) {
        self.refused.set(beginning.into());
    }
}

impl Sql for Picky {
    fn exec(&self, statement: Statement, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, StorageError> {
        if self.refused.get().is_some_and(|beginning| statement.starts_with(beginning)) {
            return Err(StorageError("full".to_owned()));
        }
        self.sqlite.exec(statement, params)
    }
}
