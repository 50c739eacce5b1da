//! Questions in SQL that people ask a PostgreSQL.

use chrono::DateTime;
use serde_json::Value;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column, Executor, Row, SqlSafeStr, Statement, TypeInfo, ValueRef};

use super::Postgres;
use crate::api::Micros;
use crate::store::row::to_seconds;
use crate::store::{Answer, Error};

impl Postgres {
    /// Answers a question in SQL; in its transaction nothing can be changed. The columns are named
    /// also when there is no row.
    pub async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        let doing = "answer a question";
        let failed = |source| Error::of(doing, source);
        let mut tx = self.connections.read(doing).await?;
        // A pooler may have kept statements of others under the same names.
        sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *tx).await.map_err(failed)?;
        // Only a single statement can be prepared, so that the text below cannot end the
        // transaction and go on.
        let question = (&mut *tx).prepare(AssertSqlSafe(sql.to_owned()).into_sql_str()).await;
        let question = question.map_err(failed)?;
        let columns = question.columns().iter().map(|column| column.name().to_owned()).collect();
        // As it stands, so that values of all types come as texts.
        let rows = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_all(&mut *tx).await;
        let rows = rows.map_err(failed)?;
        let rows = rows.iter().map(values).collect::<Result<_, _>>().map_err(failed)?;
        let _ = sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *tx).await;
        let _ = tx.rollback().await;
        Ok(Answer { columns, rows })
    }
}

fn values(row: &PgRow) -> Result<Vec<Value>, sqlx::Error> {
    (0..row.len()).map(|at| value(row, at)).collect()
}

fn value(row: &PgRow, at: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(at)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let text = raw.as_str().map_err(sqlx::Error::Decode)?;
    let kind = raw.type_info();
    let known = match kind.name() {
        "BOOL" => Some(Value::from(text == "t")),
        "INT2" | "INT4" | "INT8" => text.parse::<i64>().ok().map(Value::from),
        "FLOAT4" | "FLOAT8" | "NUMERIC" => {
            text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number)
        }
        "TIMESTAMPTZ" => time(text).map(Value::from),
        "BYTEA" => text.strip_prefix("\\x").map(|digits| Value::from(format!("x'{digits}'"))),
        _ => None,
    };
    Ok(known.unwrap_or_else(|| Value::from(text)))
}

/// A time in the form that SQLite's tables have.
fn time(text: &str) -> Option<String> {
    let at = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z").ok()?.to_utc();
    Some(match at.timestamp_subsec_micros() {
        0 => to_seconds(at),
        _ => Micros::from(at).to_string(),
    })
}
