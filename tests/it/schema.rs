//! `docs/schema.json` is written from the migrated databases: a test that finds it incomplete
//! rewrites it, and fails. What it promises is not taken back: a public column that is gone or has
//! another type fails a test without a change to the file.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use singletrack::store::{
    Database, PRIVATE, PRIVATE_VIEWS, Postgres, Sqlite, Store, TABLES, VIEWS, columns, comments,
};

use crate::support::{address, database, rows};

const FILE: &str = "docs/schema.json";

/// Asks SQLite for all columns: kind and name of the table or view, name and type of the column,
/// whether it is never null, and its place in the primary key.
const OF_SQLITE: &str = "\
    SELECT m.type, m.name, c.name, c.type, c.\"notnull\" OR c.pk > 0, c.pk \
    FROM sqlite_master m, pragma_table_info(m.name) c \
    WHERE m.type IN ('table', 'view') AND m.name NOT GLOB '_sqlx*'";

/// Asks PostgreSQL for the same, of the schema that comes first in the search path.
const OF_POSTGRES: &str = "\
    SELECT CASE t.relkind WHEN 'r' THEN 'table' ELSE 'view' END, t.relname::text, \
      c.attname::text, format_type(c.atttypid, c.atttypmod), c.attnotnull::int, \
      coalesce(array_position(k.indkey::int2[], c.attnum) + 1, 0) \
    FROM pg_class t JOIN pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 \
    LEFT JOIN pg_index k ON k.indrelid = t.oid AND k.indisprimary \
    WHERE t.relnamespace = current_schema()::regnamespace AND t.relkind IN ('r', 'v') \
      AND NOT c.attisdropped AND t.relname NOT LIKE '\\_sqlx%'";

/// Both databases, as the file names them.
const DATABASES: [&str; 2] = ["sqlite", "postgres"];

/// A public column of a database.
struct Column {
    /// `tables` or `views`.
    kind: &'static str,
    relation: String,
    name: String,
    /// The type, and whether it is never null, in the database's words.
    told: String,
    /// Its place in the primary key, counted from 1; otherwise 0.
    key: usize,
}

/// The public columns of what a database has answered.
fn public(rows: Vec<Vec<String>>) -> Vec<Column> {
    let read = |row: Vec<String>| {
        let [kind, relation, name, type_, required, key] = <[String; 6]>::try_from(row).unwrap();
        let kind = if kind == "table" { "tables" } else { "views" };
        let required = if required == "1" { " NOT NULL" } else { "" };
        let told = format!("{type_}{required}").trim().to_owned();
        Column { kind, relation, name, told, key: key.parse().unwrap() }
    };
    let is_public = |one: &Column| {
        let name = one.relation.as_str();
        !PRIVATE.contains(&name) && !PRIVATE_VIEWS.contains(&name)
    };
    rows.into_iter().map(read).filter(is_public).collect()
}

/// What is promised of the columns of these databases.
fn schema(databases: &[(&str, Vec<Column>)]) -> Value {
    let mut schema = json!({
        "about": "Made from the migrations by tests/it/schema.rs. Columns come, none goes.",
        "tables": {},
        "views": {},
    });
    let about = TABLES.iter().map(|one| ("tables", one)).chain(VIEWS.iter().map(|v| ("views", v)));
    for (kind, (relation, about)) in about {
        let described =
            columns(relation).map(|(name, about)| (name.to_owned(), json!({"about": about})));
        let described: Value = described.collect::<Map<_, _>>().into();
        schema[kind][relation] = json!({"about": about, "columns": described});
    }
    for (database, columns) in databases {
        for column in columns {
            let Column { kind, relation, name, .. } = column;
            schema[kind][relation]["columns"][name][database] = column.told.as_str().into();
        }
    }
    for (relation, table) in schema["tables"].as_object_mut().unwrap() {
        let is_key = |one: &&Column| one.relation == *relation && one.key > 0;
        let mut key: Vec<&Column> = databases[0].1.iter().filter(is_key).collect();
        key.sort_by_key(|one| one.key);
        table["key"] = key.iter().map(|one| one.name.as_str()).collect();
    }
    schema
}

/// All columns of a schema: their place, and what is said of them.
fn all(schema: &Value) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for kind in ["tables", "views"] {
        for (relation, described) in schema[kind].as_object().into_iter().flatten() {
            for (name, column) in described["columns"].as_object().into_iter().flatten() {
                all.push((format!("/{kind}/{relation}/columns/{name}"), column));
            }
        }
    }
    all
}

/// What `after` does not keep of what was promised `before`.
fn taken_back(before: &Value, after: &Value) -> Vec<String> {
    let mut broken = Vec::new();
    for (place, column) in all(before) {
        let now = after.pointer(&place).unwrap_or(&Value::Null);
        for database in DATABASES {
            let (then, now) = (&column[database], &now[database]);
            if !then.is_null() && then != now {
                broken.push(format!("{database}: {place} was {then} and is {now}"));
            }
        }
    }
    for (relation, table) in before["tables"].as_object().into_iter().flatten() {
        let (then, now) = (&table["key"], &after["tables"][relation]["key"]);
        if then.get(0).is_some() && then != now {
            broken.push(format!("the key of {relation} was {then} and is {now}"));
        }
    }
    broken
}

/// What both databases have once they are migrated.
async fn migrated() -> [(&'static str, Vec<Column>); 2] {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Database::Sqlite(Sqlite::at(&folder.path().join("store.db")));
    let server = database().await;
    let postgres = Database::Postgres(Postgres::at(address(server.url())).unwrap());
    let mut found = Vec::new();
    for (store, question) in [(sqlite, OF_SQLITE), (postgres, OF_POSTGRES)] {
        store.prepare("schema").await.unwrap();
        found.push(public(rows(&store, question).await));
        store.close().await;
    }
    let [sqlite, postgres] = <[_; 2]>::try_from(found).ok().unwrap();
    [("sqlite", sqlite), ("postgres", postgres)]
}

#[tokio::test]
async fn the_schema_file_is_up_to_date_and_keeps_its_promises() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let found = fs::read_to_string(&file).unwrap_or_default();
    let before: Value = serde_json::from_str(&found).unwrap_or_default();
    let after = schema(&migrated().await);
    let broken = taken_back(&before, &after);
    assert!(broken.is_empty(), "public columns were taken back:\n  {}", broken.join("\n  "));
    let expected = serde_json::to_string_pretty(&after).unwrap() + "\n";
    if found != expected {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
        panic!("{FILE} was out of date and has been rewritten: commit it");
    }
}

/// Every column that is described is there, in both databases; and every one that is there is
/// described. The primary keys are the same.
#[tokio::test]
async fn both_databases_have_what_is_described_and_nothing_else() {
    let migrated = migrated().await;
    let schema = schema(&migrated);
    let all = all(&schema);
    let lacks = |(place, column): &(String, &Value)| {
        let fields = ["about", "sqlite", "postgres"].into_iter();
        let missing = fields.filter(|field| column[*field].is_null()).collect::<Vec<_>>();
        (!missing.is_empty()).then(|| format!("{place}: {missing:?}"))
    };
    let lacking: Vec<String> = all.iter().filter_map(lacks).collect();
    assert!(all.len() > 200 && lacking.is_empty(), "{}", lacking.join("\n"));
    let keys = migrated.map(|(_, columns)| {
        let keys = columns.into_iter().filter(|one| one.key > 0);
        let mut keys: Vec<_> = keys.map(|one| (one.relation, one.key, one.name)).collect();
        keys.sort();
        keys
    });
    assert_eq!(keys[0], keys[1]);
}

#[tokio::test]
async fn postgres_takes_what_it_is_told_about_each_column() {
    let server = database().await;
    let postgres = Database::Postgres(Postgres::at(address(server.url())).unwrap());
    postgres.prepare("schema").await.unwrap();
    server.execute(&comments().join("; ")).await;
    let told = "SELECT c.relname, col_description(c.oid, 1), obj_description(c.oid) \
                FROM pg_class c WHERE c.relname IN ('issues', 'ci_runs') \
                AND c.relnamespace = current_schema()::regnamespace";
    let told = rows(&postgres, told).await;
    postgres.close().await;
    let of = |name| TABLES.iter().chain(&VIEWS).find(|one| one.0 == name).unwrap().1;
    let repository = "owner and name of the repository";
    assert_eq!(told[0], ["ci_runs", repository, of("ci_runs")]);
    assert_eq!(told[1], ["issues", "the numeric id of the repository", of("issues")]);
}

#[test]
fn a_column_that_goes_or_changes_its_type_is_noticed_and_a_new_one_is_none() {
    let column = |name: &str, told: &str, key| Column {
        kind: "tables",
        relation: "issues".to_owned(),
        name: name.to_owned(),
        told: told.to_owned(),
        key,
    };
    let made = |columns: Vec<Column>| schema(&[("sqlite", columns)]);
    let whole = || vec![column("repository_id", "INTEGER NOT NULL", 1), column("title", "TEXT", 0)];
    let before = made(whole());
    assert!(taken_back(&before, &made(whole())).is_empty());
    let more = whole().into_iter().chain([column("body", "TEXT", 0)]).collect();
    assert!(taken_back(&before, &made(more)).is_empty());
    let fewer = vec![column("repository_id", "INTEGER NOT NULL", 1)];
    let gone = taken_back(&before, &made(fewer));
    assert_eq!(gone, ["sqlite: /tables/issues/columns/title was \"TEXT\" and is null"]);
    let retyped = vec![column("repository_id", "INTEGER", 1), column("title", "INTEGER", 0)];
    let retyped = taken_back(&before, &made(retyped));
    assert_eq!(retyped.len(), 2, "{retyped:?}");
    assert!(retyped[1].ends_with("was \"TEXT\" and is \"INTEGER\""), "{retyped:?}");
    let other_key =
        vec![column("repository_id", "INTEGER NOT NULL", 0), column("title", "TEXT", 1)];
    assert_eq!(taken_back(&before, &made(other_key)).len(), 1);
    // A table that is gone takes its columns along.
    let none = taken_back(&before, &json!({"tables": {}, "views": {}}));
    assert_eq!(none.len(), 3, "{none:?}");
}
