//! Standard output: tables without frames, YAML and JSON.

use comfy_table::Table;
use serde::Serialize;

use super::Failure;

/// Prints rows under headings, aligned as kubectl does it.
pub(super) fn table(headings: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table.load_style(comfy_table::TableStyle::new());
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    for line in table.lines() {
        println!("{}", line.trim());
    }
}

pub(super) fn yaml(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_saphyr::to_string(value)
        .map_err(|error| Failure::of("cannot be written as YAML", &error))?;
    print!("{text}");
    Ok(())
}

pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::of("cannot be written as JSON", &error))?;
    println!("{text}");
    Ok(())
}

/// A text from somewhere else on one line and without what a terminal would act upon.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
