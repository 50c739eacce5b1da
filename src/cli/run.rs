//! `singletrack run`: creates a request, and may wait for its end.

use std::time::Duration;

use clap::{Args, ValueEnum};
use http::header::CONTENT_TYPE;
use k8s_openapi::api::batch::v1::CronJob;
use kube::{Api, Client, Resource};

use super::cron_job::of_cron_job;
use super::follow::{existing, follow};
use super::label::Label;
use super::manifest::{Origin, RequestName, SpecArgs};
use super::{Exit, Failure, NamespaceArgs, connect, duration, print};
use crate::api::{SyncRequest, SyncRequestSpec};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Name,
    Json,
    Yaml,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DryRun {
    /// Create the request.
    None,
    /// Print it only; the cluster is not asked.
    Client,
    /// Have the API server check it, and not keep it.
    Server,
}

#[derive(Args, Debug)]
#[command(after_help = "\
With --from cronjob/NAME the request is what the CronJob's first container that has the word `run`
in its command or arguments would ask for: what follows that word is read as it is here, without
--name, --label, --namespace, --wait and whatever else is not a field of the request. Flags that are
given win.

Examples:
  singletrack run -r acme/widgets --wait
  singletrack run scheduled --policy coalesce --ttl 1d
  singletrack run --from cronjob/nightly --full -w --timeout 2h
  singletrack run --from syncrequest/now
  singletrack run --name nightly-29 --label team=web --ignore-already-exists
  singletrack run --dry-run=client -o yaml > request.yaml")]
pub(super) struct RunArgs {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    namespace: NamespaceArgs,
    /// The name of the request. Default: the type and a few letters.
    #[arg(long)]
    name: Option<RequestName>,
    /// A label of the request, as team=web; may be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    label: Vec<Label>,
    /// A request of this name that is there already is a success, whatever it asks for.
    #[arg(long, requires = "name")]
    ignore_already_exists: bool,
    /// Ask for the same as this one: cronjob/NAME or syncrequest/NAME.
    #[arg(long, value_name = "KIND/NAME")]
    from: Option<Origin>,
    /// Whether the request is created, as kubectl has it.
    #[arg(long, value_enum, default_value = "none")]
    dry_run: DryRun,
    /// Wait for the end; the exit code tells which.
    #[arg(short, long)]
    wait: bool,
    /// How long to wait at most, as 10m.
    #[arg(long, requires = "wait", value_parser = duration::parse)]
    timeout: Option<Duration>,
    /// What is printed of the request.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

pub(super) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    if args.wait && args.dry_run != DryRun::None {
        return Err(Failure::usage(
            "with --dry-run there is nothing to wait for: leave --wait out",
        ));
    }
    if args.dry_run == DryRun::Client && args.from.is_none() {
        return show(&request(&args, None), &args);
    }
    let (client, default) = connect().await?;
    let namespace = args.namespace.namespace.clone().unwrap_or(default);
    let base = match &args.from {
        Some(from) => Some(origin(&client, &namespace, from).await?),
        None => None,
    };
    let request = request(&args, base);
    if args.dry_run == DryRun::Client {
        return show(&request, &args);
    }
    let created = create(&client, &namespace, &request, args.dry_run == DryRun::Server).await;
    let requests = Api::namespaced(client, &namespace);
    let created = match (created, &args.name) {
        (Err(Refusal::AlreadyExists(_)), Some(name)) if args.ignore_already_exists => {
            return there_already(&requests, &namespace, name, &args).await;
        }
        (created, _) => created.map_err(Failure::from)?,
    };
    show(&created, &args)?;
    if !args.wait {
        return Ok(Exit::Succeeded);
    }
    follow(&requests, &created, args.timeout).await
}

/// What is left to do when the request is there already. It is read only where it is asked for, so
/// that a CronJob's pod needs no right but to create.
async fn there_already(
    requests: &Api<SyncRequest>,
    namespace: &str,
    name: &RequestName,
    args: &RunArgs,
) -> Result<Exit, Failure> {
    print::note(&format!(
        "syncrequest.singletrack.dev/{name} is there already; nothing was created"
    ));
    let printed = matches!(args.output, Some(Output::Json | Output::Yaml));
    if !args.wait && !printed {
        if args.output.is_some() {
            print::line(&format!("syncrequest.singletrack.dev/{name}"))?;
        }
        return Ok(Exit::Succeeded);
    }
    let request = existing(requests, namespace, name).await?;
    if args.output.is_some() {
        show(&request, args)?;
    }
    if !args.wait {
        return Ok(Exit::Succeeded);
    }
    follow(requests, &request, args.timeout).await
}

fn request(args: &RunArgs, base: Option<SyncRequestSpec>) -> SyncRequest {
    let spec = args.spec.over(base);
    let type_ = spec.type_;
    let mut request = SyncRequest::new("", spec);
    request.metadata.name = args.name.as_ref().map(ToString::to_string);
    if args.name.is_none() {
        request.metadata.generate_name = Some(format!("{}-", type_.as_str()));
    }
    request.metadata.namespace.clone_from(&args.namespace.namespace);
    if !args.label.is_empty() {
        request.metadata.labels = Some(args.label.iter().map(Label::pair).collect());
    }
    request
}

fn show(request: &SyncRequest, args: &RunArgs) -> Result<Exit, Failure> {
    let metadata = &request.metadata;
    let name = metadata.name.as_ref().or(metadata.generate_name.as_ref());
    let name = format!("syncrequest.singletrack.dev/{}", name.map_or("", String::as_str));
    match args.output {
        None => {
            let how = match args.dry_run {
                DryRun::None => "",
                DryRun::Client => " (dry run)",
                DryRun::Server => " (server dry run)",
            };
            print::line(&format!("{name} created{how}"))?;
        }
        Some(Output::Name) => print::line(&name)?,
        Some(Output::Json) => print::json(request)?,
        Some(Output::Yaml) => print::yaml(request)?,
    }
    Ok(Exit::Succeeded)
}

/// The spec that is copied, without what was done to that one request since.
async fn origin(
    client: &Client,
    namespace: &str,
    from: &Origin,
) -> Result<SyncRequestSpec, Failure> {
    let name = match from {
        Origin::SyncRequest(name) => return copied(client, namespace, name).await,
        Origin::CronJob(name) => name,
    };
    let jobs: Api<CronJob> = Api::namespaced(client.clone(), namespace);
    let job = jobs.get_opt(name).await;
    let job = job.map_err(|error| Failure::kube("the CronJob cannot be read", &error))?;
    let job = job.ok_or_else(|| {
        Failure::plain(format!(
            "there is no CronJob {namespace}/{name}: list them with: kubectl get cronjobs -n \
             {namespace}"
        ))
    })?;
    let args = of_cron_job(&job).map_err(|why| {
        Failure::plain(format!(
            "CronJob {namespace}/{name} cannot be copied: {why}; give the flags yourself"
        ))
    })?;
    let base = match &args.from {
        None => None,
        Some(Origin::SyncRequest(name)) => Some(copied(client, namespace, name).await?),
        Some(Origin::CronJob(other)) => {
            return Err(Failure::plain(format!(
                "CronJob {namespace}/{name} copies another one: use --from cronjob/{other}"
            )));
        }
    };
    Ok(args.spec.over(base))
}

async fn copied(
    client: &Client,
    namespace: &str,
    name: &RequestName,
) -> Result<SyncRequestSpec, Failure> {
    let requests: Api<SyncRequest> = Api::namespaced(client.clone(), namespace);
    let request = existing(&requests, namespace, name).await?;
    Ok(SyncRequestSpec { cancel: false, suspend: false, ..request.spec })
}

/// Why a request was not created.
enum Refusal {
    AlreadyExists(Failure),
    Other(Failure),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::AlreadyExists(failure) | Refusal::Other(failure) => failure,
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Other(failure)
    }
}

/// Creates the request. A field that the API server does not know is refused, and not dropped.
async fn create(
    client: &Client,
    namespace: &str,
    request: &SyncRequest,
    dry_run: bool,
) -> Result<SyncRequest, Refusal> {
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let place = SyncRequest::url_path(&(), Some(namespace));
    let url = format!("{place}?fieldValidation=Strict&fieldManager=singletrack{dry_run}");
    let doing = "the request was not created";
    let body = serde_json::to_vec(request)
        .map_err(|error| Failure::of(doing, &error, "write it by hand: kubectl apply -f FILE"))?;
    let call = http::Request::post(url).header(CONTENT_TYPE, "application/json").body(body);
    let call = call.map_err(|error| {
        Failure::of("the namespace is not a name", &error, "name another with -n")
    })?;
    client.request(call).await.map_err(|error| match &error {
        kube::Error::Api(status) if status.reason == "AlreadyExists" => {
            Refusal::AlreadyExists(Failure::plain(format!(
                "{doing}: {}; a new run is a new name: choose another, or leave --name out",
                status.message
            )))
        }
        kube::Error::Api(status) if status.message.contains("strict decoding") => {
            Failure::plain(format!(
                "{doing}: {}; the SyncRequest definition is too old: singletrack crd | kubectl \
                 apply --server-side -f -",
                status.message
            ))
            .into()
        }
        _ => Failure::kube(doing, &error).into(),
    })
}
