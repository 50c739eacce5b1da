//! `singletrack unlock`: frees the Lease by hand.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Resource};

use super::config::DEFAULT_LEASE;
use super::{Exit, Failure, NamespaceArgs, connect, print};
use crate::lease::{Record, release};
use crate::process::clock::Clock;
use crate::report::{Happening, Metrics, Report};

#[derive(Args, Debug)]
pub(super) struct UnlockArgs {
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// The name of the Lease.
    #[arg(long, env = "SINGLETRACK_LEASE", default_value = DEFAULT_LEASE)]
    lease: String,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn unlock(args: UnlockArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.unwrap_or(default);
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let lease = leases
        .get(&args.lease)
        .await
        .map_err(|error| Failure::kube("the Lease cannot be read", &error))?;
    let Some(holder) = Record::from(&lease).holder else {
        println!("Lease {namespace}/{} is free already", args.lease);
        return Ok(Exit::Succeeded);
    };
    let holder = print::plain(holder.as_str());
    if !args.yes && !confirmed(&format!("Free the lock that {holder} holds?"))? {
        return Ok(Exit::Cancelled);
    }
    let freed = release(&lease, Clock::default().now());
    leases.replace(&args.lease, &PostParams::default(), &freed).await.map_err(
        |error| match &error {
            kube::Error::Api(status) if status.is_conflict() => Failure::plain(
                "the Lease has changed in the meantime: its holder is alive; look with \
                 `singletrack queue` and try again",
            ),
            _ => Failure::kube("the Lease was not freed", &error),
        },
    )?;
    let report = Report::new(client, "singletrack-unlock", Metrics::default());
    let news = Happening::Unlocked { holder: &holder };
    report.tell(&lease.object_ref(&()), &news).await;
    println!("Lease {namespace}/{} is free; what {holder} still sends is refused", args.lease);
    Ok(Exit::Succeeded)
}

fn confirmed(question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage("not a terminal: confirm with --yes"));
    }
    eprint!("{question} [y/N] ");
    let failed = |error: std::io::Error| Failure::of("the answer cannot be read", &error);
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
