//! `singletrack queue`: who holds the lock, since when, and who waits in which order.

use std::cmp::Reverse;

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::config::DEFAULT_LEASE;
use super::{Exit, Failure, NamespaceArgs, connect, print};
use crate::api::{Phase, SyncRequest};
use crate::lease::Record;

#[derive(Args, Debug)]
pub(super) struct QueueArgs {
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// Show the requests of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// The name of the Lease.
    #[arg(long, env = "SINGLETRACK_LEASE", default_value = DEFAULT_LEASE)]
    lease: String,
}

pub(super) async fn queue(args: QueueArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.unwrap_or(default);
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let lease = leases
        .get_opt(&args.lease)
        .await
        .map_err(|error| Failure::kube("the Lease cannot be read", &error))?;
    println!("{}", holder(lease.as_ref(), &namespace, &args.lease));
    let requests: Api<SyncRequest> = match args.all_namespaces {
        true => Api::all(client),
        false => Api::namespaced(client, &namespace),
    };
    let list = requests
        .list(&ListParams::default())
        .await
        .map_err(|error| Failure::kube("the requests cannot be listed", &error))?;
    let mut waiting: Vec<SyncRequest> = list.items;
    waiting.retain(|request| !phase(request).is_terminal());
    waiting.sort_by_key(|request| {
        let running = phase(request) != Phase::Running;
        let created = request.creation_timestamp().map(|at| at.0.as_second());
        let ticket = request.status.as_ref().and_then(|status| status.queue_ticket.clone());
        let ticket = ticket.and_then(|ticket| ticket.parse::<u64>().ok());
        let place = (request.namespace(), request.name_any());
        (running, Reverse(request.spec.priority), created, ticket, place)
    });
    let rows = waiting.iter().enumerate().map(|(place, request)| {
        let status = request.status.clone().unwrap_or_default();
        vec![
            place.to_string(),
            request.namespace().unwrap_or_default(),
            request.name_any(),
            request.spec.type_.as_str().to_owned(),
            request.spec.priority.to_string(),
            status.phase.as_str().to_owned(),
            status.message.unwrap_or_default(),
        ]
    });
    let headings = ["PLACE", "NAMESPACE", "NAME", "TYPE", "PRIORITY", "PHASE", "MESSAGE"];
    print::table(&headings, rows.collect());
    Ok(Exit::Succeeded)
}

fn phase(request: &SyncRequest) -> Phase {
    request.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

fn holder(lease: Option<&Lease>, namespace: &str, name: &str) -> String {
    let Some(lease) = lease else {
        return format!(
            "there is no Lease {namespace}/{name}: the operator creates it when it starts"
        );
    };
    let record = Record::from(lease);
    let paused = if record.paused { " (paused: nothing starts)" } else { "" };
    let Some(holder) = record.holder else {
        return format!("Lease {namespace}/{name} is free{paused}");
    };
    let since = record.acquired_at.map(|at| format!(" since {}", at.format("%FT%TZ")));
    let run = record.request.map(|(namespace, name, _)| format!(" for {namespace}/{name}"));
    format!(
        "Lease {namespace}/{name} is held by {}{} as run {}{}{paused}",
        print::plain(holder.as_str()),
        since.unwrap_or_default(),
        record.number,
        print::plain(&run.unwrap_or_default())
    )
}
