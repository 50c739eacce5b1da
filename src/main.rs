//! Parses the command line, runs the command, and turns its end into an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use singletrack::cli::{self, Cli};

#[tokio::main]
async fn main() -> ExitCode {
    // Both TLS users ask for the process' default; without one they would refuse to choose.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match cli::main(Cli::parse()).await {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // Where it cannot be written, the exit code says it.
            let _ = writeln!(std::io::stderr(), "error: {failure}");
            failure.exit.into()
        }
    }
}
