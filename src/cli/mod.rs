//! The command line: loose arguments become a checked configuration once, here.
//!
//! The only place that reads the environment; every flag that the operator needs has a variable.

mod config;
mod duration;
mod exit;
mod github;
mod local;
mod print;
mod query;
mod queue;
mod run;
mod unlock;

use clap::{Args, Parser, Subcommand};
use kube::{Client, Config};

pub use config::{ConfigArgs, Configuration};
pub use exit::{Exit, Failure};

use crate::controller::{self, ControllerArgs};
use crate::report::{LogFormat, start};

/// Copies GitHub issues and automation data into a database, one run at a time.
#[derive(Parser, Debug)]
#[command(name = "singletrack", version, propagate_version = true)]
pub struct Cli {
    #[command(flatten)]
    log: LogArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Debug)]
struct LogArgs {
    /// What is logged: a level, or levels by part, as in info,singletrack=debug.
    #[arg(long, env = "SINGLETRACK_LOG", default_value = "warn,singletrack=info", global = true)]
    log: String,
    /// How a log line looks.
    #[arg(long, env = "SINGLETRACK_LOG_FORMAT", value_enum, default_value_t, global = true)]
    log_format: LogFormat,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the operator.
    Controller(Box<ControllerArgs>),
    /// Print the CustomResourceDefinition, to be applied with kubectl.
    Crd,
    /// Ask for a run.
    ///
    /// Example: singletrack run manual -r acme/widgets --wait
    Run(Box<run::RunArgs>),
    /// Show who holds the lock, and who waits.
    Queue(queue::QueueArgs),
    /// Free the lock by hand. Safe at any time: what the holder still sends is refused.
    Unlock(unlock::UnlockArgs),
    /// Make one run on this machine, without a cluster.
    ///
    /// Example: GITHUB_TOKEN=… singletrack local --track acme/widgets --database issues.db
    Local(Box<local::LocalArgs>),
    /// Ask the database a question in SQL, read-only.
    ///
    /// Example: singletrack query "SELECT repository, number, title FROM open_issues"
    Query(query::QueryArgs),
    /// Print the version.
    Version,
}

/// Where the requests are.
#[derive(Args, Clone, Debug)]
pub struct NamespaceArgs {
    /// The namespace. Default: that of the current context.
    #[arg(short, long)]
    pub namespace: Option<String>,
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
        Command::Unlock(args) => unlock::unlock(args).await,
        Command::Local(args) => local::local(*args).await,
        Command::Query(args) => query::query(args).await,
        Command::Version => {
            println!("singletrack {}", env!("CARGO_PKG_VERSION"));
            Ok(Exit::Succeeded)
        }
    }
}

/// A client of the cluster that the kubeconfig or the pod names, and its default namespace.
pub async fn connect() -> Result<(Client, String), Failure> {
    let config = Config::infer().await.map_err(|error| {
        Failure::of("cannot find a cluster: set KUBECONFIG, or run inside a pod", &error)
    })?;
    let namespace = config.default_namespace.clone();
    let client = Client::try_from(config)
        .map_err(|error| Failure::of("cannot make a client of the cluster", &error))?;
    Ok((client, namespace))
}
