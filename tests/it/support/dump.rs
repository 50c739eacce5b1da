//! What is in a database, in a form in which the same rows of both databases are the same texts.

use std::collections::BTreeMap;

use serde_json::Value;
use singletrack::store::{Answer, Database};

/// All rows of all tables, sorted; each value with the name of its column.
pub(crate) type Dump = BTreeMap<String, Vec<Vec<String>>>;

/// What is in the store's tables. The migrator's own table is left out.
pub(crate) async fn dump(database: &Database) -> Dump {
    let tables = match database {
        Database::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
        Database::Postgres(_) => {
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        }
    };
    let mut all = BTreeMap::new();
    for table in rows(database, tables).await.into_iter().flatten() {
        if table.starts_with('_') {
            continue;
        }
        let Answer { columns, rows } =
            database.ask(&format!("SELECT * FROM {table}")).await.expect("it can be read");
        let named = |row: &Vec<Value>| {
            let cells = columns.iter().zip(row);
            let mut cells: Vec<_> =
                cells.map(|(column, value)| format!("{column}={}", normal(value))).collect();
            cells.sort();
            cells
        };
        let mut rows: Vec<_> = rows.iter().map(named).collect();
        rows.sort();
        all.insert(table, rows);
    }
    assert!(all.len() > 10, "{:?}", all.keys());
    all
}

/// The rows that say what GitHub has, without who wrote them when; of what is removed, that it is.
pub(crate) fn data(mut dump: Dump) -> Dump {
    dump.retain(|table, _| !table.starts_with("sync_") && table != "schema_info");
    let written = ["stored_at=", "stored_by="];
    for rows in dump.values_mut() {
        for row in rows.iter_mut() {
            row.retain(|cell| !written.iter().any(|name| cell.starts_with(name)));
            for cell in row.iter_mut().filter(|cell| cell.starts_with("removed_at=2")) {
                "removed_at=set".clone_into(cell);
            }
        }
        rows.sort();
    }
    dump
}

/// The answer to a question, sorted.
pub(crate) async fn rows(database: &Database, sql: &str) -> Vec<Vec<String>> {
    let answer = database.ask(sql).await.expect(sql);
    let mut rows: Vec<Vec<String>> =
        answer.rows.iter().map(|row| row.iter().map(normal).collect()).collect();
    rows.sort();
    rows
}

/// A value without what differs between the databases: truth values are 0 and 1, times of whole
/// seconds have no fraction, and JSON has no spaces and its keys in order.
pub(crate) fn normal(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(truth) => i64::from(*truth).to_string(),
        Value::String(text) => match text.strip_suffix(".000000Z") {
            Some(seconds) => format!("{seconds}Z"),
            None if text.starts_with(['[', '{']) => {
                let json = serde_json::from_str::<BTreeMap<String, Value>>(text)
                    .map(|object| serde_json::to_string(&object).expect("it is JSON"));
                let list = serde_json::from_str::<Vec<Value>>(text)
                    .map(|list| serde_json::to_string(&list).expect("it is JSON"));
                json.or(list).unwrap_or_else(|_| text.clone())
            }
            None => text.clone(),
        },
        other => other.to_string(),
    }
}
