//! `singletrack run`: creates a request, and may wait for its end.

use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures::{StreamExt, TryStreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};

use super::{Exit, Failure, NamespaceArgs, connect, duration, print};
use crate::api::{
    ConcurrencyPolicy, RepoPattern, RunType, SyncRequest, SyncRequestSpec, SyncRequestStatus,
};

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Type {
    Manual,
    Scheduled,
    Automation,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Policy {
    Queue,
    Coalesce,
    Reject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Name,
    Json,
    Yaml,
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    /// What to copy.
    #[arg(value_enum, default_value = "manual")]
    type_: Type,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// The name of the request. Default: the type and a few letters.
    #[arg(long)]
    name: Option<String>,
    /// A repository, as owner/name or owner/*; may be given several times. Default: all.
    #[arg(short, long = "repository", value_name = "REPO")]
    repositories: Option<Vec<RepoPattern>>,
    /// Read everything again.
    #[arg(long)]
    full: bool,
    /// With scheduled: copy automation data as well.
    #[arg(long)]
    automation: bool,
    /// What to do while another run is going on.
    #[arg(long, value_enum, default_value = "queue")]
    policy: Policy,
    /// 0 to 100; higher runs first.
    #[arg(long, default_value_t = 0)]
    priority: i32,
    /// Seconds after which the finished request is deleted.
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<i64>,
    /// Wait for the end; the exit code tells which.
    #[arg(short, long)]
    wait: bool,
    /// How long to wait at most, as 10m.
    #[arg(long, requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.clone().unwrap_or(default);
    let requests: Api<SyncRequest> = Api::namespaced(client, &namespace);
    let request = requests
        .create(&PostParams::default(), &request(&args))
        .await
        .map_err(|error| Failure::kube("the request was not created", &error))?;
    let name = request.name_any();
    match args.output {
        None => println!("syncrequest.singletrack.dev/{name} created"),
        Some(Output::Name) => println!("syncrequest.singletrack.dev/{name}"),
        Some(Output::Json) => print::json(&request)?,
        Some(Output::Yaml) => print::yaml(&request)?,
    }
    if !args.wait {
        return Ok(Exit::Succeeded);
    }
    let following = follow(&requests, &name);
    match args.timeout {
        None => following.await,
        Some(limit) => tokio::time::timeout(limit, following).await.unwrap_or_else(|_| {
            eprintln!("not finished within {limit:?}; it goes on: kubectl get sr {name} -w");
            Ok(Exit::TimedOut)
        }),
    }
}

fn request(args: &RunArgs) -> SyncRequest {
    let type_ = match args.type_ {
        Type::Manual => RunType::Manual,
        Type::Scheduled => RunType::Scheduled,
        Type::Automation => RunType::Automation,
    };
    let spec = SyncRequestSpec {
        repositories: args.repositories.clone(),
        full: args.full,
        automation: args.automation,
        priority: args.priority,
        ttl_seconds_after_finished: args.ttl,
        concurrency_policy: match args.policy {
            Policy::Queue => ConcurrencyPolicy::Queue,
            Policy::Coalesce => ConcurrencyPolicy::Coalesce,
            Policy::Reject => ConcurrencyPolicy::Reject,
        },
        ..SyncRequestSpec::of(type_)
    };
    let mut request = SyncRequest::new("", spec);
    request.metadata.name.clone_from(&args.name);
    if args.name.is_none() {
        request.metadata.generate_name = Some(format!("{}-", type_.as_str()));
    }
    request
}

/// Follows a request to its end: a bar on a terminal, a line for each change elsewhere.
async fn follow(requests: &Api<SyncRequest>, name: &str) -> Result<Exit, Failure> {
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner();
        let style = ProgressStyle::with_template("{spinner} {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    });
    let mut changes = watcher::watch_object(requests.clone(), name).default_backoff().boxed();
    let mut before = String::new();
    loop {
        let change = changes.try_next().await;
        let request = match change {
            Ok(Some(Some(request))) => request,
            Ok(Some(None)) => {
                return Err(Failure::plain(format!("{name} was deleted before it ended")));
            }
            Ok(None) => return Err(Failure::plain("the watch has ended; try again")),
            // The watch begins again by itself.
            Err(_) => continue,
        };
        let status = request.status.unwrap_or_default();
        let line = line(&status);
        match &bar {
            Some(bar) => bar.set_message(line),
            None if line != before => {
                eprintln!("{line}");
                before = line;
            }
            None => {}
        }
        if status.phase.is_terminal() {
            if let Some(bar) = bar {
                bar.finish();
            }
            return Ok(Exit::from(status.phase));
        }
    }
}

fn line(status: &SyncRequestStatus) -> String {
    let progress = status.progress.as_ref().filter(|_| !status.phase.is_terminal());
    let progress = progress.filter(|progress| !progress.summary.is_empty());
    let progress = progress.map(|progress| format!(" {}", progress.summary)).unwrap_or_default();
    let message = print::plain(status.message.as_deref().unwrap_or_default());
    format!("{}{progress}: {message}", status.phase.as_str())
}
