//! The command line: loose arguments become a checked configuration once, here.
//!
//! The only place that reads the environment; every flag that the operator needs has a variable.

mod adopt;
mod ask;
mod backup;
mod cancel;
mod complete;
mod completion;
mod config;
mod cron_job;
mod database;
mod doctor;
mod duration;
mod exit;
mod follow;
mod github;
mod label;
mod local;
mod lock;
mod manifest;
mod pause;
mod print;
mod query;
mod queue;
mod run;
mod unlock;
mod wait;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use kube::{Client, Config};

pub use config::{ConfigArgs, Configuration};
pub use database::Location;
pub use exit::{Exit, Failure};

pub use crate::controller::rights::NEEDED;
use crate::controller::{self, ControllerArgs};
use crate::report::{LogFormat, start};

/// Copies GitHub issues and automation data into a database, one run at a time.
#[derive(Parser, Debug)]
#[command(
    name = "singletrack",
    version,
    propagate_version = true,
    after_help = "\
A link named kubectl-singletrack on the PATH makes it `kubectl singletrack`.

Examples:
  singletrack run manual -r acme/widgets --wait
  singletrack queue
  singletrack run --help"
)]
pub struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct LogArgs {
    /// What is logged: a level, or levels by part, as in info,singletrack=debug.
    #[arg(
        long,
        env = "SINGLETRACK_LOG",
        default_value = "warn,singletrack=info",
        global = true,
        help_heading = "Log"
    )]
    log: String,
    /// How a log line looks.
    #[arg(
        long,
        env = "SINGLETRACK_LOG_FORMAT",
        value_enum,
        default_value_t,
        global = true,
        help_heading = "Log"
    )]
    log_format: LogFormat,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the operator.
    Controller(Box<ControllerArgs>),
    /// Print the CustomResourceDefinition, to be applied with kubectl.
    #[command(after_help = "Example:\n  singletrack crd | kubectl apply --server-side -f -")]
    Crd,
    /// Ask for a run.
    Run(Box<run::RunArgs>),
    /// Show who holds the lock, and who waits.
    Queue(queue::QueueArgs),
    /// Wait for the end of a request; the exit code tells which.
    Wait(wait::WaitArgs),
    /// End requests that wait or run.
    Cancel(cancel::CancelArgs),
    /// Start nothing more; what runs goes on.
    #[command(
        after_help = "Examples:\n  singletrack pause\n  singletrack pause -n tools --lease b"
    )]
    Pause(pause::PauseArgs),
    /// Let runs start again.
    #[command(
        after_help = "Examples:\n  singletrack resume\n  singletrack resume -n tools --lease b"
    )]
    Resume(pause::PauseArgs),
    /// Free the lock by hand. Safe at any time: what the holder still sends is refused once
    /// the next run is active.
    Unlock(unlock::UnlockArgs),
    /// Hand the database over to this operator.
    Adopt(Box<adopt::AdoptArgs>),
    /// Check everything that a run needs, and say what is wrong.
    Doctor(Box<doctor::DoctorArgs>),
    /// Make one run on this machine, without a cluster.
    Local(Box<local::LocalArgs>),
    /// Copy the database into a file, also while a run goes on.
    Backup(backup::BackupArgs),
    /// Ask the database a question in SQL, read-only.
    Query(query::QueryArgs),
    /// Print the script that lets a shell complete our commands.
    Completion(completion::CompletionArgs),
    /// Say what may stand next on a command line, as kubectl asks its plugins.
    #[command(name = "__complete", hide = true)]
    Complete(complete::CompleteArgs),
    /// Print the version.
    #[command(after_help = "Example:\n  singletrack version")]
    Version,
}

/// Where the requests are.
#[derive(Args, Clone, Debug)]
pub struct NamespaceArgs {
    /// The namespace. Default: that of the current context.
    #[arg(short, long)]
    pub namespace: Option<String>,
}

/// Where the lock is.
#[derive(Args, Clone, Debug)]
struct LockArgs {
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// The configuration file, for the Lease that it names.
    #[arg(long, env = "SINGLETRACK_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The name of the Lease. Default: that of the configuration, or singletrack
    #[arg(long, env = "SINGLETRACK_LEASE", value_name = "NAME")]
    lease: Option<String>,
}

impl LockArgs {
    /// The namespace and the name of the Lease.
    fn place(&self, default: String) -> Result<(String, String), Failure> {
        let name = config::lease_name(self.lease.clone(), self.config.as_deref())?;
        Ok((self.namespace.namespace.clone().unwrap_or(default), name))
    }
}

/// Carries out the command and says how the process is to end.
pub async fn main(cli: Cli) -> Result<Exit, Failure> {
    start(&cli.log.log, cli.log.log_format).map_err(Failure::usage)?;
    match cli.command {
        Command::Controller(args) => controller::run(*args).await,
        Command::Crd => {
            print::yaml(&crate::api::crd())?;
            Ok(Exit::Succeeded)
        }
        Command::Run(args) => run::run(*args).await,
        Command::Queue(args) => queue::queue(args).await,
        Command::Wait(args) => wait::wait(args).await,
        Command::Cancel(args) => cancel::cancel(args).await,
        Command::Pause(args) => pause::pause(args).await,
        Command::Resume(args) => pause::resume(args).await,
        Command::Unlock(args) => unlock::unlock(args).await,
        Command::Adopt(args) => adopt::adopt(*args).await,
        Command::Doctor(args) => doctor::doctor(*args).await,
        Command::Local(args) => Box::pin(local::local(*args)).await,
        Command::Backup(args) => backup::backup(args).await,
        Command::Query(args) => query::query(args).await,
        Command::Completion(args) => completion::completion(&args),
        Command::Complete(args) => complete::complete(args).await,
        Command::Version => {
            print::line(concat!("singletrack ", env!("CARGO_PKG_VERSION")))?;
            Ok(Exit::Succeeded)
        }
    }
}

/// What to try when there is no cluster.
pub const NO_CLUSTER: &str = "set KUBECONFIG, or run inside a pod";
/// What to try when the kubeconfig is of no use.
pub const BAD_CLUSTER: &str = "look at the kubeconfig with: kubectl config view --minify";

/// A client of the cluster that the kubeconfig or the pod names, and its default namespace.
pub async fn connect() -> Result<(Client, String), Failure> {
    let config = Config::infer()
        .await
        .map_err(|error| Failure::of("cannot find a cluster", &error, NO_CLUSTER))?;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config)
        .map_err(|error| Failure::of("cannot make a client of the cluster", &error, BAD_CLUSTER))?;
    Ok((client, namespace))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_fits_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_every_command_ends_with_an_example() {
        let root = Cli::command();
        assert!(root.get_after_help().is_some_and(|help| help.to_string().contains("Example")));
        for command in root.get_subcommands().filter(|command| !command.is_hide_set()) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let example = after.lines().last().unwrap_or_default();
            let name = command.get_name();
            assert!(after.contains("Example"), "{name}: {after:?}");
            assert!(example.contains(&format!("singletrack {name}")), "{name}: {after:?}");
        }
    }
}
