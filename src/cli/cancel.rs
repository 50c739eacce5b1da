//! `singletrack cancel`: ends requests that wait or run.

use std::time::Duration;

use clap::Args;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::ask::confirmed;
use super::follow::{existing, follow};
use super::manifest::RequestName;
use super::{Exit, Failure, NamespaceArgs, connect, duration, print};
use crate::api::SyncRequest;

#[derive(Args, Debug)]
#[command(after_help = "\
A run that goes on stops at once; what it has stored so far stays. Cancelling cannot be taken back.
A request that has ended already is left alone, and that is no error.

Examples:
  singletrack cancel now
  singletrack cancel -l team=web --yes
  singletrack cancel --all --wait --timeout 1m")]
pub(super) struct CancelArgs {
    /// The names of the requests.
    #[arg(required_unless_present_any = ["all", "selector"], value_name = "NAME")]
    names: Vec<RequestName>,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// All requests of the namespace that have not ended. Asks first.
    #[arg(long, conflicts_with_all = ["names", "selector"])]
    all: bool,
    /// Those that have not ended and have these labels, as team=web. Asks first.
    #[arg(short = 'l', long, conflicts_with = "names", value_name = "LABELS")]
    selector: Option<String>,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// Wait until they have ended; 0 then, however they ended.
    #[arg(short, long)]
    wait: bool,
    /// How long to wait for each at most, as 10m.
    #[arg(long, requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,
}

pub(super) async fn cancel(args: CancelArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.clone().unwrap_or(default);
    let requests: Api<SyncRequest> = Api::namespaced(client, &namespace);
    let found = match args.names.is_empty() {
        true => unfinished(&requests, args.selector.as_deref()).await?,
        false => named(&requests, &namespace, &args.names).await?,
    };
    if args.names.is_empty() {
        if found.is_empty() {
            print::line(&format!("nothing to cancel in namespace {namespace}"))?;
            return Ok(Exit::Succeeded);
        }
        let names: Vec<_> = found.iter().map(ResourceExt::name_any).collect();
        let question = format!("Cancel {} in {namespace}?", names.join(", "));
        if !args.yes && !confirmed(&question)? {
            return Ok(Exit::Cancelled);
        }
    }
    for request in &found {
        end(&requests, request).await?;
    }
    if args.wait {
        for request in found.iter().filter(|request| !request.phase().is_terminal()) {
            follow(&requests, request, args.timeout).await?;
        }
    }
    Ok(Exit::Succeeded)
}

/// All of them, or none is cancelled.
async fn named(
    requests: &Api<SyncRequest>,
    namespace: &str,
    names: &[RequestName],
) -> Result<Vec<SyncRequest>, Failure> {
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        found.push(existing(requests, namespace, name).await?);
    }
    Ok(found)
}

async fn unfinished(
    requests: &Api<SyncRequest>,
    selector: Option<&str>,
) -> Result<Vec<SyncRequest>, Failure> {
    let which = ListParams { label_selector: selector.map(str::to_owned), ..Default::default() };
    let list = requests.list(&which).await;
    let mut list = list.map_err(|error| Failure::kube("the requests cannot be listed", &error))?;
    list.items.retain(|request| !request.phase().is_terminal());
    Ok(list.items)
}

async fn end(requests: &Api<SyncRequest>, request: &SyncRequest) -> Result<(), Failure> {
    let name = request.name_any();
    let phase = request.phase();
    if phase.is_terminal() {
        return print::line(&format!(
            "syncrequest.singletrack.dev/{name} has ended already: {}",
            phase.as_str()
        ));
    }
    // Of this request, and not of another that has its name by now: the API server checks the uid.
    let patch = json!({"metadata": {"uid": request.uid()}, "spec": {"cancel": true}});
    let patched = requests.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
    patched.map_err(|error| match &error {
        // A uid that is another's is told as an attempt to change it.
        kube::Error::Api(status)
            if status.is_not_found() || status.message.contains("metadata.uid") =>
        {
            Failure::plain(format!(
                "{name} was deleted in the meantime, which ends its run as well; see what is there \
                 with: singletrack queue"
            ))
        }
        _ => Failure::kube(&format!("{name} was not cancelled"), &error),
    })?;
    print::line(&format!("syncrequest.singletrack.dev/{name} cancelled"))
}
