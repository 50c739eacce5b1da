//! What people are told of a database. Pure.

use serde_json::Value;

/// An answer to a question in SQL: the names of the columns, and the rows.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub columns: Vec<String>,
    /// What is neither a number nor a truth value is a text; bytes are a text such as `x'00ff'`.
    pub rows: Vec<Vec<Value>>,
}

/// What a database is found to be.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Whose it is; `None` before the first operator has claimed it.
    pub owner: Option<String>,
    /// The newest of its migrations, and the newest that this program knows.
    pub version: i64,
    pub newest_version: i64,
}

impl Answer {
    /// The names of the columns, and the rows as texts.
    pub(super) fn into_texts(self) -> (Vec<String>, Vec<Vec<String>>) {
        let rows = self.rows.iter().map(|row| row.iter().map(as_text).collect()).collect();
        (self.columns, rows)
    }
}

/// A value on one line of a table. NULL is empty.
pub fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Bytes as SQL writes them.
pub(super) fn bytes(bytes: &[u8]) -> Value {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Value::from(format!("x'{}'", digits.concat()))
}
