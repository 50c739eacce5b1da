//! `singletrack doctor`: looks at everything that a run needs, and says what is wrong.

mod check;
mod cluster;
mod github;
mod store;

use clap::{Args, ValueEnum};
use serde_json::json;

use self::check::Found;
use super::{ConfigArgs, Exit, Failure, print};
use crate::process::clock::Clock;

#[derive(Args, Debug)]
#[command(after_help = "\
Rights are those of whoever runs it: in the operator's pod those of its service account. Nothing is
changed, and the token is not shown. The exit code is 1 when something fails.

Examples:
  kubectl exec deploy/singletrack -- /singletrack doctor
  singletrack doctor --config singletrack.yaml -n tools -o json")]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The operator's namespace. Default: that of the current context.
    #[arg(short, long, env = "POD_NAMESPACE")]
    namespace: Option<String>,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    Table,
    Json,
}

pub(super) async fn doctor(args: DoctorArgs) -> Result<Exit, Failure> {
    let config = args.config.read()?;
    let clock = Clock::default();
    let mut checks = Vec::new();
    let wanted = cluster::Wanted {
        namespace: args.namespace,
        lease: config.lease,
        all_namespaces: config.all_namespaces,
        namespaces: config.namespaces,
    };
    let cluster = cluster::look(wanted, &clock, &mut checks).await;
    let github = github::look(&config.settings, &clock, &mut checks).await;
    let owner = cluster.as_ref().and_then(|cluster| cluster.owner.as_deref());
    store::look(&config.database, owner, &mut checks).await;
    let cluster = cluster.and_then(|cluster| cluster.ahead);
    checks.push(check::clocks(&[("the cluster", cluster), ("GitHub", github)]));
    match args.output {
        Output::Table => {
            let lines: Vec<_> = checks.iter().map(|check| check.line() + "\n").collect();
            print::text(&lines.concat())?;
        }
        Output::Json => print::json(&json!({ "checks": checks }))?,
    }
    let failed = checks.iter().any(|check| check.result == Found::Fail);
    Ok(if failed { Exit::Failed } else { Exit::Succeeded })
}
