//! `singletrack unlock`: frees the Lease by hand.

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Resource};

use super::ask::confirmed;
use super::lock::existing;
use super::{Exit, Failure, LockArgs, connect, print};
use crate::lease::{Record, release};
use crate::process::clock::Clock;
use crate::report::{Happening, Metrics, Report};

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  singletrack unlock
  singletrack unlock -n tools --yes")]
pub(super) struct UnlockArgs {
    #[command(flatten)]
    lock: LockArgs,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(super) async fn unlock(args: UnlockArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let (namespace, name) = args.lock.place(default)?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let lease = existing(&leases, (&namespace, &name)).await?;
    let Some(holder) = Record::from(&lease).holder else {
        print::line(&format!("Lease {namespace}/{name} is free already"))?;
        return Ok(Exit::Succeeded);
    };
    let holder = print::plain(holder.as_str());
    if !args.yes && !confirmed(&format!("Free the lock that {holder} holds?"))? {
        return Ok(Exit::Cancelled);
    }
    let freed = release(&lease, Clock::default().now());
    leases.replace(&name, &PostParams::default(), &freed).await.map_err(|error| match &error {
        kube::Error::Api(status) if status.is_conflict() => Failure::plain(
            "the Lease has changed in the meantime: its holder is alive; look with \
                 `singletrack queue` and try again",
        ),
        _ => Failure::kube("the Lease was not freed", &error),
    })?;
    let report = Report::new(client, "singletrack-unlock", Metrics::default());
    let news = Happening::Unlocked { holder: &holder };
    report.tell(&lease.object_ref(&()), &news).await;
    print::line(&format!(
        "Lease {namespace}/{name} is free; what {holder} still sends is refused once the next run \
         is active"
    ))?;
    Ok(Exit::Succeeded)
}
