//! `singletrack completion`: the script that lets a shell, or kubectl, complete our commands.

use clap::{Args, CommandFactory, ValueEnum};
use clap_complete::{Shell, generate};

use super::{Cli, Exit, Failure, print};

#[derive(Args, Debug)]
#[command(after_help = "\
For kubectl the script has to be a program on the PATH, beside the link named kubectl-singletrack.

Examples:
  source <(singletrack completion bash)
  singletrack completion fish > ~/.config/fish/completions/singletrack.fish
  singletrack completion kubectl > ~/.local/bin/kubectl_complete-singletrack
  chmod +x ~/.local/bin/kubectl_complete-singletrack  # after: singletrack completion kubectl")]
pub(super) struct CompletionArgs {
    /// The shell, or kubectl for `kubectl singletrack`.
    #[arg(value_enum)]
    shell: For,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    Bash,
    Elvish,
    Fish,
    Kubectl,
    #[value(name = "powershell")]
    PowerShell,
    Zsh,
}

/// What kubectl runs for the words after `kubectl singletrack`. Errors would stand among the words.
const KUBECTL: &str = "\
#!/bin/sh
# Completes `kubectl singletrack`; keep it on the PATH as kubectl_complete-singletrack.
exec kubectl-singletrack __complete -- \"$@\" 2>/dev/null
";

pub(super) fn completion(args: &CompletionArgs) -> Result<Exit, Failure> {
    let shell = match args.shell {
        For::Bash => Shell::Bash,
        For::Elvish => Shell::Elvish,
        For::Fish => Shell::Fish,
        For::PowerShell => Shell::PowerShell,
        For::Zsh => Shell::Zsh,
        For::Kubectl => {
            print::text(KUBECTL)?;
            return Ok(Exit::Succeeded);
        }
    };
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "singletrack", &mut script);
    print::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Succeeded)
}
