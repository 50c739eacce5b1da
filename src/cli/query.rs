//! `singletrack query`: a question in SQL to the database; nothing can be changed by it.

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::config::LocationArgs;
use super::database::Location;
use super::{Exit, Failure, print};
use crate::store::{Answer, as_text, chain};

#[derive(Args, Debug)]
#[command(after_help = "\
A BLOB is printed as x'00ff', and NULL as nothing.

Examples:
  singletrack query -o json \"SELECT * FROM run_history LIMIT 5\"
  singletrack query \"SELECT repository, number, title FROM open_issues\"")]
pub(super) struct QueryArgs {
    #[command(flatten)]
    database: LocationArgs,
    /// How the answer is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
    /// The question, as "SELECT * FROM run_history".
    sql: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
    Csv,
}

pub(super) async fn query(args: QueryArgs) -> Result<Exit, Failure> {
    let location = args.database.existing()?;
    let store = location.read_only();
    let answer = store.ask(&args.sql).await;
    store.close().await;
    let answer = answer.map_err(|error| refused(&location, &chain(&error)))?;
    match args.output {
        Output::Table => {
            let headings: Vec<&str> = answer.columns.iter().map(String::as_str).collect();
            print::table(&headings, texts(&answer))?;
        }
        Output::Json => print::json(&objects(&answer))?,
        Output::Csv => print::text(&csv(&answer))?,
    }
    Ok(Exit::Succeeded)
}

fn refused(location: &Location, why: &str) -> Failure {
    let next = match (why.contains("readonly") || why.contains("read-only"), location) {
        (true, _) => "only questions are answered here: begin with SELECT",
        (false, Location::File(_)) => {
            "see what there is with: singletrack query \"SELECT name FROM sqlite_schema\""
        }
        (false, Location::Server(_)) => {
            "see what there is with: singletrack query \"SELECT table_name FROM \
             information_schema.tables WHERE table_schema = current_schema()\""
        }
    };
    Failure::plain(format!("{why}; {next}"))
}

fn texts(answer: &Answer) -> Vec<Vec<String>> {
    answer.rows.iter().map(|row| row.iter().map(as_text).collect()).collect()
}

/// The rows as objects. Of two columns with the same name the later one gets a number.
fn objects(answer: &Answer) -> Vec<Map<String, Value>> {
    let mut names: Vec<String> = Vec::new();
    for column in &answer.columns {
        let mut name = column.clone();
        let mut number = 2;
        while names.contains(&name) {
            name = format!("{column}_{number}");
            number += 1;
        }
        names.push(name);
    }
    let object = |row: &Vec<Value>| names.iter().cloned().zip(row.iter().cloned()).collect();
    answer.rows.iter().map(object).collect()
}

/// As RFC 4180 has it, with a line of headings.
fn csv(answer: &Answer) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| quoted(cell)).collect();
        format!("{}\r\n", cells.join(","))
    };
    let rows: Vec<_> = texts(answer).iter().map(|row| line(row)).collect();
    line(&answer.columns) + &rows.concat()
}

fn quoted(cell: &str) -> String {
    match cell.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer() -> Answer {
        let columns = ["n", "t", "n"].map(str::to_owned).to_vec();
        Answer { columns, rows: vec![vec![json!(1), json!("a, \"b\"\n"), Value::Null]] }
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        assert_eq!(csv(&answer()), "n,t,n\r\n1,\"a, \"\"b\"\"\n\",\r\n");
    }

    #[test]
    fn columns_of_the_same_name_are_all_there() {
        let objects = objects(&answer());
        assert_eq!(json!(objects), json!([{"n": 1, "t": "a, \"b\"\n", "n_2": null}]));
    }
}
