//! The log: one line an entry, on standard error.

use std::io::{self, Stderr, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// Where entries go: each stays one line, and nothing in it acts upon a terminal.
struct OneLine<W = Stderr>(W);

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole entry, as the log gives it.
    fn write(&mut self, entry: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(entry);
        let (line, end) = text.strip_suffix('\n').map_or((text.as_ref(), ""), |line| (line, "\n"));
        let mut plain = String::with_capacity(entry.len());
        for letter in line.chars() {
            match letter.is_control() {
                true => plain.extend(letter.escape_default()),
                false => plain.push(letter),
            }
        }
        plain.push_str(end);
        self.0.write_all(plain.as_bytes())?;
        Ok(entry.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Starts the log of this process. `filter` is of the form `info` or `singletrack=debug,kube=warn`.
///
/// # Errors
///
/// When the filter is not of that form.
pub fn start(filter: &str, format: LogFormat) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| {
        format!(
            "the log filter {filter:?} is not understood: {error}; write a level, or \
                 levels by part, as info,singletrack=debug"
        )
    })?;
    let log = fmt().with_env_filter(filter).with_writer(|| OneLine(io::stderr())).with_ansi(false);
    // It would tell of an entry that nobody reads with a macro that panics where nobody reads.
    let log = log.log_internal_errors(false);
    let started = match format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_whatever_is_in_it() {
        let written = |entry: &str| {
            let mut out = OneLine(Vec::new());
            out.write_all(entry.as_bytes()).unwrap();
            String::from_utf8(out.0).unwrap()
        };
        assert_eq!(written("INFO plain \u{e9}\n"), "INFO plain \u{e9}\n");
        assert_eq!(
            written("WARN a\nERROR forged \x1b[31m\r\u{9b}2J\0\x7f\n"),
            "WARN a\\nERROR forged \\u{1b}[31m\\r\\u{9b}2J\\u{0}\\u{7f}\n"
        );
    }
}
