//! The statement that writes a set of rows and touches only those that differ. Pure.
//!
//! The rows are one JSON array, so that a statement has three parameters however many rows and
//! columns there are: the rows, the time, and the run number.

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
    /// Inserts or updates the rows of `?1`, stamped with time `?2` and run `?3`. Rows that are the
    /// same already are not written.
    pub(super) fn upsert(&self) -> String {
        let keys = self.keys.join(", ");
        let names = || self.columns.iter().map(Column::name);
        let all = self.keys.iter().copied().chain(names()).collect::<Vec<_>>().join(", ");
        let values = self.keys.iter().map(|key| Plain(key)).chain(self.columns.iter().copied());
        let values = values.map(Column::value).collect::<Vec<_>>().join(", ");
        let compared =
            self.columns.iter().filter(|column| !matches!(column, Once(_))).map(Column::name);
        let compared = compared.collect::<Vec<_>>();
        let set = compared.iter().map(|name| format!("{name} = excluded.{name}"));
        let set = set.collect::<Vec<_>>().join(", ");
        let name = self.name;
        let differs =
            compared.iter().map(|column| format!("{name}.{column} IS NOT excluded.{column}"));
        let differs = differs.collect::<Vec<_>>().join(" OR ");
        format!(
            "INSERT INTO {name} ({all}, stored_at, stored_by) \
             SELECT {values}, ?2, ?3 FROM json_each(?1) WHERE true \
             ON CONFLICT ({keys}) DO UPDATE SET {set}, \
             stored_at = excluded.stored_at, stored_by = excluded.stored_by WHERE {differs}"
        )
    }

    /// How many of the rows of `?1` are there already.
    pub(super) fn count_existing(&self) -> String {
        let name = self.name;
        let same = self.keys.iter().map(|key| format!("t.{key} = value ->> '{key}'"));
        let same = same.collect::<Vec<_>>().join(" AND ");
        format!("SELECT count(*) FROM json_each(?1) CROSS JOIN {name} t ON {same}")
    }
}

impl Column {
    fn name(&self) -> &'static str {
        match self {
            Plain(name) | Json(name) | Once(name) => name,
        }
    }

    fn value(self) -> String {
        match self {
            Plain(name) | Once(name) => format!("value ->> '{name}'"),
            // `->` gives the text `null` for a JSON null.
            Json(name) => format!("nullif(value -> '{name}', 'null')"),
        }
    }
}
