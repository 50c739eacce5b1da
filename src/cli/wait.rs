//! `singletrack wait`: returns when a request has ended, with an exit code that says how.

use std::time::Duration;

use clap::Args;
use kube::Api;

use super::follow::{existing, follow};
use super::manifest::RequestName;
use super::{Exit, Failure, NamespaceArgs, connect, duration};

#[derive(Args, Debug)]
#[command(after_help = "\
Exit codes: 0 Succeeded, 1 Failed, 3 Rejected, 4 PartiallySucceeded, 5 Cancelled, 124 not ended in
time.

Examples:
  singletrack wait now --timeout 30m
  singletrack wait $(singletrack run -o name)")]
pub(super) struct WaitArgs {
    /// The name of the request.
    name: RequestName,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// How long to wait at most, as 10m. Default: as long as it takes
    #[arg(long, value_parser = duration::parse)]
    timeout: Option<Duration>,
}

pub(super) async fn wait(args: WaitArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.unwrap_or(default);
    let requests = Api::namespaced(client, &namespace);
    let request = existing(&requests, &namespace, &args.name).await?;
    follow(&requests, &request, args.timeout).await
}
