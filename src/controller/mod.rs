//! The operator: starts its parts, and stops them in order.
//!
//! Order of stopping: readiness goes; no request is taken any more; calls to GitHub are dropped and
//! the current transaction ends; the request is queued again; the Lease is freed.

mod parts;
pub(crate) mod places;
mod requests;
pub(crate) mod rights;
pub(crate) mod schema;
mod together;
mod watches;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::{FutureExt, StreamExt, TryStreamExt, future};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use kube::client::ClientBuilder;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{WatchStreamExt, reflector};
use kube::{Api, Client, Config, ResourceExt};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::timeout::TimeoutLayer;

use self::parts::Parts;
use self::places::Places;
use self::watches::{Pauses, Watches};
use crate::api::{SyncRequest, SyncRequestStatus};
use crate::cli::{BAD_CLUSTER, ConfigArgs, Configuration, Exit, Failure, NO_CLUSTER};
use crate::lease::{Identity, Keeper, Seen};
use crate::process::alone::{Place, take_place};
use crate::process::clock::Clock;
use crate::process::serve::{Health, serve};
use crate::process::stop::cancel_on_signal;
use crate::reconcile::{self, Context, Track};
use crate::report::{Metrics, Report};
use crate::store::{self, Database, chain};

/// How long a part that is not ready rests before it is looked at again.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

#[derive(Args, Debug)]
#[command(after_help = "\
Example:
  GITHUB_TOKEN=… singletrack controller --track acme/widgets --database /data/singletrack.db")]
pub struct ControllerArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the endpoints /healthz, /readyz and /metrics are served.
    #[arg(long, env = "SINGLETRACK_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// The name of the pod; outside a pod, the host's name.
    #[arg(long, env = "POD_NAME", value_name = "NAME")]
    pod_name: Option<String>,
    /// The uid of the pod; empty outside a pod.
    #[arg(long, env = "POD_UID", default_value = "", value_name = "UID")]
    pod_uid: String,
    /// The operator's namespace, where the Lease is. Default: that of the current context.
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pod_namespace: Option<String>,
}

/// Runs the operator until it is told to stop.
pub async fn run(args: ControllerArgs) -> Result<Exit, Failure> {
    let config = args.config.read()?;
    let (stop, done) = (CancellationToken::new(), CancellationToken::new());
    cancel_on_signal(stop.clone())
        .map_err(|error| Failure::of("signals cannot be watched", &error, "try again"))?;
    let Clients { client, watcher, namespace } = clients(args.pod_namespace).await?;
    let _place = place_in(&args.pod_uid, (&namespace, &config.lease))?;
    let name = args.pod_name.unwrap_or_else(host_name);
    let parts = [&["schema", "permissions", "store", "lease"][..], &Watches::PARTS].concat();
    let health = Health::starting(&parts);
    let metrics = Metrics::default();
    let text = {
        let (metrics, health) = (metrics.clone(), health.clone());
        move || {
            metrics.ready(health.is_ready());
            metrics.text()
        }
    };
    let address =
        serve(args.listen, health.clone(), text, done.clone()).await.map_err(|error| {
            let doing = format!("cannot listen on {}", args.listen);
            Failure::of(&doing, &error, "name another address with --listen")
        })?;
    tracing::info!(%address, pod = name, namespace, "the operator has started");

    let clock = Clock::default();
    let lease = (namespace.clone(), config.lease.clone());
    let keeper = Keeper::new(
        client.clone(),
        (&namespace, &config.lease),
        Identity::new(&name, &args.pod_uid),
        config.times,
        clock.clone(),
    );
    let Configuration { settings, store, all_namespaces, namespaces, .. } = config;
    let report = Report::new(client.clone(), &name, metrics);
    let sql = Arc::clone(&store);
    let ctx = Arc::new(Context::new(
        (client.clone(), watcher),
        store,
        settings,
        lease,
        (health.clone(), report.clone(), clock),
    ));
    let places = Places::of(all_namespaces, &namespace, namespaces);
    let watches = Arc::new(Watches::of(&namespace, &places));
    let (seen, place) = (Arc::clone(&watches), (ctx.lease.clone(), places.clone()));
    let parts = Parts::until(stop.clone());
    let looking = parts.start("rights", rights::look(client, health, seen, place));
    let preparing = parts.start("store", prepare_store(Arc::clone(&ctx), namespace));
    if schema_is_known(&ctx, &stop).await {
        work(ctx, keeper, (watches, places), (&parts, stop)).await;
    }
    preparing.abort();
    looking.abort();
    report.close().await;
    close_store(sql.as_ref()).await;
    done.cancel();
    tracing::info!("the operator has stopped");
    Ok(if parts.are_broken() { Exit::Failed } else { Exit::Succeeded })
}

/// Returns when the API server knows our resource: whether it does. If not, the process was told to
/// stop.
async fn schema_is_known(ctx: &Context, stop: &CancellationToken) -> bool {
    loop {
        match schema::check(&ctx.client).await {
            Ok(()) => {
                ctx.health.well("schema");
                return true;
            }
            Err(why) => ctx.health.ail("schema", &why),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN_AFTER) => {}
            () = stop.cancelled() => return false,
        }
    }
}

/// Tries to prepare the store until it is, and again after it was lost or given to another
/// operator: also one that has nothing to run tells when the store works again.
async fn prepare_store(ctx: Arc<Context>, namespace: String) {
    loop {
        match claim_store(&ctx, &namespace).await {
            Ok(()) => {
                ctx.store_is_prepared();
                ctx.store_is_lost().await;
            }
            Err(Unclaimed::Store(error)) => ctx.store_is_unprepared(&error),
            Err(Unclaimed::Namespace(why)) => ctx.health.ail("store", &why),
        }
        tokio::time::sleep(AGAIN_AFTER).await;
    }
}

/// Why the store is not ours.
enum Unclaimed {
    Namespace(String),
    Store(store::Error),
}

/// Brings the tables up to date and claims the store for the uid of our namespace, which no other
/// installation has.
async fn claim_store(ctx: &Context, namespace: &str) -> Result<(), Unclaimed> {
    let namespaces: Api<Namespace> = Api::all(ctx.client.clone());
    let owner = namespaces.get(namespace).await.map_err(|error| {
        let why = chain(&error);
        Unclaimed::Namespace(format!(
            "namespace {namespace:?} cannot be read: {why}; the operator's service account needs get \
             on namespaces there"
        ))
    })?;
    ctx.store.prepare(&owner.uid().unwrap_or_default()).await.map_err(Unclaimed::Store)
}

/// Watches and works until told to stop, then until nothing of ours is under way.
async fn work(
    ctx: Arc<Context>,
    keeper: Keeper,
    (watches, places): (Arc<Watches>, Places),
    (parts, stop): (&Parts, CancellationToken),
) {
    let (lease_seen, news) = watch::channel(None);
    let watching = watch_lease(Arc::clone(&ctx), Arc::clone(&watches), lease_seen);
    let watching = parts.start("watch of the lease", watching);
    let track = Track::new(Arc::clone(&ctx), keeper, news, stop.clone());
    let track = parts.start("track", track.run());
    let closing = parts.start("end of calls", close(Arc::clone(&ctx), stop.clone()));
    reconcile_all(Arc::clone(&ctx), (watches, places), stop.clone(), track).await;
    watching.abort();
    closing.abort();
}

/// Closes the connections. A server that has become silent is not waited for.
async fn close_store(store: &Database) {
    if tokio::time::timeout(LAST_CALLS, store.close()).await.is_err() {
        tracing::warn!("the database did not say that its connections are closed");
    }
}

/// How long a call that the end of the process waits for is made again and again.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// Without an API server the process ends all the same: what is left is found by the next one.
async fn close(ctx: Arc<Context>, stop: CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(LAST_CALLS).await;
    ctx.closing.cancel();
}

/// Passes over all requests, and lives as long as the track does: a run that is stopping still
/// changes its request.
async fn reconcile_all(
    ctx: Arc<Context>,
    (watches, places): (Arc<Watches>, Places),
    stop: CancellationToken,
    track: tokio::task::JoinHandle<()>,
) {
    let (reader, writer) = reflector::store();
    ctx.show_requests(reader.clone());
    let (noting, unlisted) = (Arc::clone(&ctx), stopped_unlisted(reader.clone(), stop.clone()));
    let changes = requests::changes(&ctx, &places, &watches, reader.clone())
        .inspect_ok(move |event| reconcile::note(event, &noting))
        .modify(trim)
        .reflect(writer)
        .applied_objects();
    let passes = Controller::for_stream(changes, reader)
        .with_config(ControllerConfig::default().concurrency(4))
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(reconcile::reconcile, again, Arc::clone(&ctx))
        .for_each(|pass| {
            if let Err(error) = pass {
                tracing::debug!(error = chain(&error), "a pass was not finished");
            }
            future::ready(())
        });
    let passes = async {
        tokio::select! {
            () = passes => {}
            () = unlisted => {}
        }
    };
    // A fault of the track has been told where it was started.
    let ((), _) = tokio::join!(passes, track);
}

/// Returns when the process is told to stop before the first listing is complete. It never will be then,
/// for the watch is stopped first, and the passes would wait for it.
async fn stopped_unlisted(listed: reflector::Store<SyncRequest>, stop: CancellationToken) {
    stop.cancelled().await;
    if listed.wait_until_ready().now_or_never().is_some() {
        future::pending::<()>().await;
    }
}

/// Keeps of a finished request only what its deletion needs, and whether its spec was changed since.
fn trim(request: &mut SyncRequest) {
    request.metadata.managed_fields = None;
    if let Some(status) = &mut request.status
        && status.phase.is_terminal()
    {
        *status = SyncRequestStatus {
            phase: status.phase,
            completion_time: status.completion_time,
            lock: status.lock.take(),
            observed_generation: status.observed_generation,
            ..SyncRequestStatus::default()
        };
        request.spec.repositories = None;
        request.metadata.annotations = None;
    }
}

fn again(request: Arc<SyncRequest>, error: &reconcile::Error, _: Arc<Context>) -> Action {
    let name = request.name_any();
    tracing::warn!(request.name = name, error = chain(error), "the pass is repeated");
    Action::requeue(AGAIN_AFTER)
}

async fn watch_lease(ctx: Arc<Context>, watches: Arc<Watches>, seen: watch::Sender<Option<Seen>>) {
    let leases: Api<Lease> = Api::namespaced(ctx.watcher.clone(), &ctx.lease.0);
    let ours = watcher::Config::default().fields(&format!("metadata.name={}", ctx.lease.1));
    let mut changes = watcher(leases, ours).backoff(Pauses::default()).boxed();
    let mut listed = None;
    while let Some(change) = changes.next().await {
        watches.heard(watches.of_lease(), &change, &ctx.health);
        match change {
            Ok(Event::Init) => listed = None,
            Ok(Event::InitApply(lease)) => listed = Some(Arc::new(lease)),
            Ok(Event::InitDone) => drop(seen.send_replace(listed.take())),
            Ok(Event::Apply(lease)) => drop(seen.send_replace(Some(Arc::new(lease)))),
            Ok(Event::Delete(_)) => drop(seen.send_replace(None)),
            Err(error) => {
                tracing::debug!(error = chain(&error), "the watch of the lease begins anew");
            }
        }
    }
}

/// How long a call may wait for an answer. A connection that is dead without a word would keep a pass
/// waiting for as long as a watch may be silent.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Neither repeats a call by itself: a write that was done and whose answer was lost would come back as
/// a conflict, and kube's pauses grow to minutes, in which nobody would look whether the Lease is lost.
/// Whoever calls knows when it is worth another try.
struct Clients {
    /// For calls.
    client: Client,
    /// For watches, which may be silent for minutes.
    watcher: Client,
    /// The operator's own.
    namespace: String,
}

async fn clients(namespace: Option<String>) -> Result<Clients, Failure> {
    let mut config = Config::infer()
        .await
        .map_err(|error| Failure::of("cannot find a cluster", &error, NO_CLUSTER))?;
    config.default_retry = false;
    let namespace = namespace.unwrap_or_else(|| config.default_namespace.clone());
    let builder = |config: Config| {
        ClientBuilder::try_from(config).map_err(|error| {
            Failure::of("cannot make a client of the cluster", &error, BAD_CLUSTER)
        })
    };
    let mut calls = config.clone();
    calls.read_timeout = Some(ANSWER_WITHIN);
    // A connection that was idle before the call is not late.
    calls.reset_reader_on_write = true;
    // A watch may be silent once it was answered, and a list take its time.
    let answered = TimeoutLayer::new(ANSWER_WITHIN);
    let watcher = builder(config)?.with_layer(&answered).build();
    Ok(Clients { client: builder(calls)?.build(), watcher, namespace })
}

/// The place of this pod's only operator; outside a pod there is none to take.
fn place_in(pod_uid: &str, lease: (&str, &str)) -> Result<Option<Place>, Failure> {
    if pod_uid.is_empty() {
        return Ok(None);
    }
    match take_place(pod_uid, lease) {
        Ok(None) => Err(Failure::plain(format!(
            "another operator runs in this pod, with the lease {}/{}: leave it to it, or delete the \
             pod and let it start anew",
            lease.0, lease.1
        ))),
        Ok(place) => Ok(place),
        Err(error) => {
            // The store's fence holds all the same.
            let error = chain(&error);
            tracing::warn!(error, "it is not known whether another operator runs in this pod");
            Ok(None)
        }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}
