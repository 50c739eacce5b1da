//! Standard output: tables without frames, YAML, JSON and lines; and lines on standard error.

use std::io::{ErrorKind, Write};

use comfy_table::Table;
use serde::Serialize;

use super::Failure;

/// Prints rows under headings, aligned as kubectl does it.
pub(super) fn table(headings: &[&str], rows: Vec<Vec<String>>) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(comfy_table::TableStyle::new());
    table.set_header(headings.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| plain(cell)));
    }
    let lines: Vec<_> = table.lines().map(|line| format!("{}\n", line.trim())).collect();
    text(&lines.concat())
}

/// Prints it as it is. A reader that has seen enough, such as `head`, is no error.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::plain(format!(
            "standard output cannot be written: {error}; send it where there is room"
        ))),
        _ => Ok(()),
    }
}

/// Prints a line, in the same way.
pub(super) fn line(line: &str) -> Result<(), Failure> {
    text(&format!("{line}\n"))
}

/// Says a line on standard error. That it cannot be written is nothing that could be told there.
pub(super) fn note(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

pub(super) fn yaml(value: &impl Serialize) -> Result<(), Failure> {
    let yaml = serde_saphyr::to_string(value)
        .map_err(|error| Failure::of("cannot be written as YAML", &error, "try -o json"))?;
    text(&format!("{}\n", yaml.trim_end()))
}

pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|error| {
        Failure::of("cannot be written as JSON", &error, "try -o yaml or a table")
    })?;
    text(&format!("{json}\n"))
}

/// A text from somewhere else on one line and without what a terminal would act upon.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
