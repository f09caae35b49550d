//! The storage of an object: SQLite, of which only the runtime's calls are missing here.

use serde::Serialize;
use thiserror::Error;

#[cfg(test)]
pub(crate) mod sqlite;

/// Each statement is a constant, so that an adapter may know it by its address.
pub type Statement = &'static str;

/// A value in SQLite. Workers hands integers over as floats, exactly up to 2^53, so a `Real` with no fraction reads as an integer
/// too.
///
/// Bound it crosses as JSON: as a number, a string or `null`. Bytes are never bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum SqlValue {
    /// `NULL`.
    Null,
    /// An integer within ±2^53.
    Integer(i64),
    /// A float.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes, as a statement makes them of text that is long: text crosses from the runtime a character at a time.
    #[serde(skip)]
    Blob(Vec<u8>),
}

/// A count, a seq or an epoch: all far below 2^53, let alone 2^63.
pub fn count(value: u64) -> SqlValue {
    SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A Durable Object's SQL, as much of it as is needed.
///
/// It binds every number as a REAL. A column that is INTEGER makes an integer of it again; a statement that computes with a
/// parameter, or turns one into text, has to do so itself.
pub trait Sql {
    /// Runs one statement to its end, and gives all its rows.
    ///
    /// Rows come of a statement that begins with `SELECT`, and of no other: what changes rows returns none.
    ///
    /// This is the only way to run one: rows that a cursor has not handed over when the turn ends fail its commit, and what reading a
    /// row throws must be caught as well as what running does.
    ///
    /// # Errors
    /// [`StorageError`], with the storage's own words; the statement has then changed nothing.
    fn exec(&self, statement: Statement, params: Vec<SqlValue>) -> Result<Vec<Vec<SqlValue>>, StorageError>;
}

/// What the storage says when it refuses. For our own log, never for a caller.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct StorageError(pub String);

/// A column that does not hold what is ever written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Unreadable(pub &'static str);

/// The columns of one result row, read from left to right.
#[derive(Debug)]
pub struct Record(std::vec::IntoIter<SqlValue>);

/// Each of these reads the next column, whose `name` an error gives.
impl Record {
    /// One row, as [`Sql::exec`] gives it.
    pub fn new(row: Vec<SqlValue>) -> Self {
        Self(row.into_iter())
    }

    /// An integer, or nothing.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn integer_or_null(&mut self, name: &'static str) -> Result<Option<i64>, Unreadable> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Integer(value)) => Ok(Some(value)),
            Some(SqlValue::Real(value)) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
                Ok(Some(value as i64))
            }
            _ => Err(Unreadable(name)),
        }
    }

    /// An integer.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn integer(&mut self, name: &'static str) -> Result<i64, Unreadable> {
        self.integer_or_null(name)?.ok_or(Unreadable(name))
    }

    /// An integer that is not negative, or nothing.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn count_or_null(&mut self, name: &'static str) -> Result<Option<u64>, Unreadable> {
        let value = self.integer_or_null(name)?.map(u64::try_from).transpose();
        value.map_err(|_| Unreadable(name))
    }

    /// An integer that is not negative.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn count(&mut self, name: &'static str) -> Result<u64, Unreadable> {
        self.count_or_null(name)?.ok_or(Unreadable(name))
    }

    /// Bytes, or nothing.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn bytes_or_null(&mut self, name: &'static str) -> Result<Option<Vec<u8>>, Unreadable> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Blob(bytes)) => Ok(Some(bytes)),
            _ => Err(Unreadable(name)),
        }
    }

    /// Text, or nothing.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn text_or_null(&mut self, name: &'static str) -> Result<Option<String>, Unreadable> {
        match self.0.next() {
            Some(SqlValue::Null) => Ok(None),
            Some(SqlValue::Text(text)) => Ok(Some(text)),
            _ => Err(Unreadable(name)),
        }
    }

    /// Text.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn text(&mut self, name: &'static str) -> Result<String, Unreadable> {
        self.text_or_null(name)?.ok_or(Unreadable(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cross_as_what_the_runtime_binds() {
        let values = [
            SqlValue::Null,
            SqlValue::Integer(-9_007_199_254_740_992),
            SqlValue::Real(13.712_34),
            SqlValue::Text("a \"quoted\" \u{0}\u{2028} é".into()),
        ];
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, "[null,-9007199254740992,13.71234,\"a \\\"quoted\\\" \\u0000\u{2028} é\"]");
        assert!(serde_json::to_string(&[SqlValue::Blob(vec![1])]).is_err());
    }
}
