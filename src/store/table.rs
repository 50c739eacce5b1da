//! The statement that writes a set of rows and touches only those that differ. Pure.
//!
//! The rows are one JSON array, so that a statement has three parameters however many rows and
//! columns there are: `$1` the rows, `$2` the time, and `$3` the run number.

/// A column, and how its value is taken from JSON.
#[derive(Clone, Copy)]
pub(super) enum Column {
    Plain(&'static str),
    /// A value that is stored as JSON.
    Json(&'static str),
    /// Written when the row is new, and left alone later.
    Once(&'static str),
}

/// A table as it is written, or the part of its columns that one source knows.
pub(super) struct Table {
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
    pub(super) columns: &'static [Column],
}

use Column::{Json, Once, Plain};

impl Table {
    /// Inserts or updates the rows. Those that are the same already are not written.
    pub(super) fn upsert_on_sqlite(&self) -> String {
        let keys = self.keys.iter().map(|key| Plain(key));
        let values = keys.chain(self.columns.iter().copied()).map(Column::in_json);
        let values = values.collect::<Vec<_>>().join(", ");
        self.upsert(&format!("SELECT {values}, $2, $3 FROM json_each($1) WHERE true"))
    }

    /// The same; gives how many rows are new, and how many were written. The types are the table's
    /// own. In the order of the keys, so that two that write the same rows do not lock each other
    /// out.
    pub(super) fn upsert_on_postgres(&self) -> String {
        let (name, keys, all) = (self.name, self.keys.join(", "), self.all());
        let rows = format!(
            "SELECT {all}, $2::timestamptz, $3::bigint \
             FROM json_populate_recordset(NULL::{name}, $1::json) ORDER BY {keys}"
        );
        // A row that was there has been locked by this transaction, which xmax shows.
        format!(
            "WITH written AS ({} RETURNING (xmax = 0) AS created) \
             SELECT count(*) FILTER (WHERE created), count(*) FROM written",
            self.upsert(&rows)
        )
    }

    /// Writes what the query `rows` gives.
    fn upsert(&self, rows: &str) -> String {
        let (name, keys, all) = (self.name, self.keys.join(", "), self.all());
        let compared = self.columns.iter().filter(|column| !matches!(column, Once(_)));
        let compared: Vec<_> = compared.map(Column::name).collect();
        let set: Vec<_> =
            compared.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let differs: Vec<_> = compared
            .iter()
            .map(|column| format!("{name}.{column} IS DISTINCT FROM excluded.{column}"))
            .collect();
        let (set, differs) = (set.join(", "), differs.join(" OR "));
        format!(
            "INSERT INTO {name} ({all}, stored_at, stored_by) {rows} \
             ON CONFLICT ({keys}) DO UPDATE SET {set}, \
             stored_at = excluded.stored_at, stored_by = excluded.stored_by WHERE {differs}"
        )
    }

    /// The names of all columns, the keys first.
    fn all(&self) -> String {
        let keys = self.keys.iter().copied();
        keys.chain(self.columns.iter().map(Column::name)).collect::<Vec<_>>().join(", ")
    }

    /// How many of the rows are there already, on SQLite.
    pub(super) fn count_existing(&self) -> String {
        let name = self.name;
        let same = self.keys.iter().map(|key| format!("t.{key} = value ->> '{key}'"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        format!("SELECT count(*) FROM json_each($1) CROSS JOIN {name} t ON {same}")
    }
}

impl Column {
    fn name(&self) -> &'static str {
        match self {
            Plain(name) | Json(name) | Once(name) => name,
        }
    }

    /// Its value in SQLite's words.
    fn in_json(self) -> String {
        match self {
            Plain(name) | Once(name) => format!("value ->> '{name}'"),
            // `->` gives the text `null` for a JSON null.
            Json(name) => format!("nullif(value -> '{name}', 'null')"),
        }
    }
}
