//! `singletrack pause` and `singletrack resume`: whether the operator may start runs.

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Resource};

use super::lock::existing;
use super::{Exit, Failure, LockArgs, connect, print};
use crate::lease::{is_paused, set_paused};
use crate::report::{Happening, Metrics, Report};

/// How often a write is repeated when the holder's heartbeat was faster.
const MOST_TRIES: usize = 10;

#[derive(Args, Debug)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    lock: LockArgs,
}

pub(super) async fn pause(args: PauseArgs) -> Result<Exit, Failure> {
    let lease = mark(args, true).await?;
    print::line(&format!(
        "{lease} is paused: nothing starts until `singletrack resume`; what runs goes on"
    ))?;
    Ok(Exit::Succeeded)
}

pub(super) async fn resume(args: PauseArgs) -> Result<Exit, Failure> {
    let lease = mark(args, false).await?;
    print::line(&format!("{lease} is not paused: runs start again"))?;
    Ok(Exit::Succeeded)
}

/// Puts the mark on the Lease or takes it away, and gives the Lease's name. What is so already is
/// left alone.
async fn mark(args: PauseArgs, paused: bool) -> Result<String, Failure> {
    let (client, default) = connect().await?;
    let (namespace, name) = args.lock.place(default)?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    for _ in 0..MOST_TRIES {
        let lease = existing(&leases, (&namespace, &name)).await?;
        if is_paused(&lease) == paused {
            return Ok(format!("Lease {namespace}/{name}"));
        }
        match leases.replace(&name, &PostParams::default(), &set_paused(&lease, paused)).await {
            Ok(_) => {
                let report = Report::new(client, "singletrack-pause", Metrics::default());
                let news = if paused { Happening::Paused } else { Happening::Resumed };
                report.tell(&lease.object_ref(&()), &news).await;
                return Ok(format!("Lease {namespace}/{name}"));
            }
            Err(kube::Error::Api(status)) if status.is_conflict() => {}
            Err(error) => return Err(Failure::kube("the Lease was not changed", &error)),
        }
    }
    Err(Failure::plain(format!(
        "the Lease {namespace}/{name} is being changed all the time; see by whom with `kubectl get \
         lease {name} -n {namespace} -w`, and try again"
    )))
}
