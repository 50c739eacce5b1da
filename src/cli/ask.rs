//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal, Write};

use super::Failure;

/// Whether the person says yes. Without a person it is an error that names the flag.
pub(super) fn confirmed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "this asks first ({question}), and there is no terminal: confirm with --yes"
        )));
    }
    let failed = |error: std::io::Error| {
        Failure::of("the answer cannot be read", &error, "confirm with --yes")
    };
    let mut shown = std::io::stderr().lock();
    write!(shown, "{question} [y/N] ").and_then(|()| shown.flush()).map_err(failed)?;
    drop(shown);
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
