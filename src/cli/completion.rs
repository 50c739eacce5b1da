//! `singletrack completion`: the script that lets a shell complete our commands.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Exit, Failure, print};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  source <(singletrack completion bash)
  singletrack completion fish > ~/.config/fish/completions/singletrack.fish")]
pub(super) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn completion(args: &CompletionArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "singletrack", &mut script);
    print::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Succeeded)
}
