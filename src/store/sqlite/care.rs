//! What people do to the file itself: ask it, copy it, and look it over.

use std::path::Path;

use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column, Connection, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef,
};

use super::Sqlite;
use crate::store::answer::bytes;
use crate::store::{Answer, Error};

impl Sqlite {
    /// Answers a question in SQL. The columns are named also when there is no row.
    pub async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        let failed = |source| Error::of("answer a question", source);
        let mut reader = self.pools.readers.acquire().await.map_err(failed)?;
        let question = (&mut *reader).prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let question = question.map_err(failed)?;
        let columns = question.columns().iter().map(|column| column.name().to_owned()).collect();
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut *reader).await.map_err(failed)?;
        let rows = rows.iter().map(values).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Answer { columns, rows })
    }

    /// Writes a copy of the database at `path` into the new or empty file `copy`, as it is at one
    /// moment, and checks the copy. A run may go on meanwhile.
    pub async fn back_up(path: &Path, copy: &Path) -> Result<(), Error> {
        let doing = "copy the database";
        let failed = |source| Error::of(doing, source);
        let options = SqliteConnectOptions::new().read_only(true);
        let (from, to) = (options.clone().filename(path), options.filename(copy));
        let mut source = SqliteConnection::connect_with(&from).await.map_err(failed)?;
        let copied =
            sqlx::query("VACUUM INTO ?1").bind(copy.to_string_lossy()).execute(&mut source).await;
        // The copy counts, and not how the connection ends.
        let _ = source.close().await;
        copied.map_err(failed)?;
        let mut copy = SqliteConnection::connect_with(&to).await.map_err(failed)?;
        let found: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_one(&mut copy)
            .await
            .map_err(failed)?;
        let _ = copy.close().await;
        match found.as_str() {
            "ok" => Ok(()),
            _ => Err(failed(sqlx::Error::Protocol(format!("the copy is damaged: {found}")))),
        }
    }
}

fn values(row: &SqliteRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

/// The value as it is, whatever the column was declared as.
fn value(row: &SqliteRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    Ok(match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => Value::from(row.try_get_unchecked::<i64, _>(at)?),
        "REAL" => Value::from(row.try_get_unchecked::<f64, _>(at)?),
        "BLOB" => bytes(&row.try_get_unchecked::<Vec<u8>, _>(at)?),
        _ => {
            let bytes = row.try_get_unchecked::<Vec<u8>, _>(at)?;
            Value::from(String::from_utf8_lossy(&bytes).into_owned())
        }
    })
}
