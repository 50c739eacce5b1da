//! `singletrack queue`: who holds the lock, since when, and who waits in which order.

use std::cmp::Reverse;

use clap::{Args, ValueEnum};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};

use super::{Exit, Failure, LockArgs, connect, print};
use crate::api::{Micros, Phase, SyncRequest};
use crate::lease::Record;

#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  singletrack queue
  singletrack queue -A -o wide
  singletrack queue -o json | jq .lock.holder")]
pub(super) struct QueueArgs {
    #[command(flatten)]
    lock: LockArgs,
    /// Show the requests of all namespaces.
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only requests with these labels, as team=web. Places are counted among them.
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// How it is printed.
    #[arg(short, long, value_enum, default_value = "table")]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Table,
    Wide,
    Json,
    Yaml,
    Name,
}

pub(super) async fn queue(args: QueueArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let (namespace, name) = args.lock.place(default)?;
    let leases: Api<Lease> = Api::namespaced(client.clone(), &namespace);
    let lease = leases
        .get_opt(&name)
        .await
        .map_err(|error| Failure::kube("the Lease cannot be read", &error))?;
    let requests: Api<SyncRequest> = match args.all_namespaces {
        true => Api::all(client),
        false => Api::namespaced(client, &namespace),
    };
    let which = ListParams { label_selector: args.selector, ..ListParams::default() };
    let list = requests
        .list(&which)
        .await
        .map_err(|error| Failure::kube("the requests cannot be listed", &error))?;
    let waiting = in_order(list.items);
    match args.output {
        Output::Table | Output::Wide => {
            print::text(&format!("{}\n", holder(lease.as_ref(), &namespace, &name)))?;
            table(&waiting, args.output == Output::Wide)?;
        }
        Output::Json => print::json(&document(lease.as_ref(), &namespace, &name, &waiting))?,
        Output::Yaml => print::yaml(&document(lease.as_ref(), &namespace, &name, &waiting))?,
        Output::Name => {
            let name = |request: &SyncRequest| {
                format!("syncrequest.singletrack.dev/{}\n", request.name_any())
            };
            print::text(&waiting.iter().map(name).collect::<Vec<_>>().concat())?;
        }
    }
    Ok(Exit::Succeeded)
}

/// Those that have not ended, in the order in which they run.
fn in_order(mut requests: Vec<SyncRequest>) -> Vec<SyncRequest> {
    requests.retain(|request| !request.phase().is_terminal());
    requests.sort_by_key(|request| {
        let running = request.phase() != Phase::Running;
        let created = request.creation_timestamp().map(|at| at.0.as_second());
        let ticket = request.status.as_ref().and_then(|status| status.queue_ticket.clone());
        let ticket = ticket.and_then(|ticket| ticket.parse::<u64>().ok());
        let place = (request.namespace(), request.name_any());
        (running, Reverse(request.spec.priority), created, ticket, place)
    });
    requests
}

fn table(waiting: &[SyncRequest], wide: bool) -> Result<(), Failure> {
    let mut headings = vec!["PLACE", "NAMESPACE", "NAME", "TYPE", "PRIORITY", "PHASE"];
    if wide {
        headings.extend(["PROGRESS", "ATTEMPTS", "RUN", "REASON", "STARTED"]);
    }
    headings.push("MESSAGE");
    let rows = waiting.iter().enumerate().map(|(place, request)| {
        let status = request.status.clone().unwrap_or_default();
        let mut row = vec![
            place.to_string(),
            request.namespace().unwrap_or_default(),
            request.name_any(),
            request.spec.type_.as_str().to_owned(),
            request.spec.priority.to_string(),
            status.phase.as_str().to_owned(),
        ];
        if wide {
            let number = |number: Option<i64>| number.map(|n| n.to_string()).unwrap_or_default();
            let started = status.start_time.map(Micros::get);
            row.extend([
                status.progress.map(|progress| progress.summary).unwrap_or_default(),
                number(status.attempts),
                number(status.run_number),
                status.reason.unwrap_or_default(),
                started.map(|at| at.format("%FT%TZ").to_string()).unwrap_or_default(),
            ]);
        }
        row.push(status.message.unwrap_or_default());
        row
    });
    print::table(&headings, rows.collect())
}

/// The same for programs.
fn document(lease: Option<&Lease>, namespace: &str, name: &str, waiting: &[SyncRequest]) -> Value {
    let lock = lease.map(|lease| {
        let record = Record::from(lease);
        let request = record.request.map(
            |(namespace, name, uid)| json!({"namespace": namespace, "name": name, "uid": uid}),
        );
        json!({
            "lease": format!("{namespace}/{name}"),
            "paused": record.paused,
            "holder": record.holder.as_ref().map(|holder| holder.as_str().to_owned()),
            "since": record.acquired_at.filter(|_| record.holder.is_some()),
            "runNumber": record.number.0,
            "request": request,
        })
    });
    json!({"lock": lock, "requests": waiting})
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
