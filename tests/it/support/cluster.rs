//! One real control plane for the whole test binary, and a namespace of it for each test.

use std::fmt::Debug;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use futures::StreamExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace as Space;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, Config, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use singletrack::api::{Phase, RunType, SyncRequest, SyncRequestSpec, crd};
use singletrack::lease::release;
use singletrack::process::clock::Clock;

use super::{awaited, poll};

/// The control plane. It ends with this process, whichever way that ends: the starter waits for the
/// end of its standard input, which we hold.
pub(crate) struct Cluster {
    pub(crate) kubeconfig: PathBuf,
    config: Config,
    starter: Mutex<(Child, BufReader<ChildStdout>)>,
}

impl Cluster {
    /// Another API server on the same etcd, which a test may pause and start again: a client of it.
    pub(crate) async fn second(&'static self) -> Client {
        let said = tokio::task::spawn_blocking(|| self.tell("second")).await.expect("it answers");
        let path = said.strip_prefix("ready ").expect("the second API server is ready");
        Client::try_from(configuration(Path::new(path)).await).expect("a client")
    }

    /// `pause WHO`, `continue WHO` or `restart`: see the starter.
    pub(crate) async fn command(&'static self, command: &'static str) {
        let said = tokio::task::spawn_blocking(|| self.tell(command)).await.expect("it answers");
        assert_eq!(said, "done", "{command}");
    }

    fn tell(&self, what: &str) -> String {
        let mut starter = self.starter.lock().unwrap_or_else(PoisonError::into_inner);
        let (child, output) = &mut *starter;
        writeln!(child.stdin.as_mut().expect("it is piped"), "{what}").expect("it listens");
        let mut line = String::new();
        output.read_line(&mut line).expect("the starter speaks");
        line.trim().to_owned()
    }
}

/// What is needed to reach the API server that this kubeconfig names.
async fn configuration(kubeconfig: &Path) -> Config {
    let read = Kubeconfig::read_from(kubeconfig).expect("the kubeconfig is one");
    let options = KubeConfigOptions::default();
    Config::from_custom_kubeconfig(read, &options).await.expect("the kubeconfig fits")
}

/// The control plane, started by whoever asks first.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // In a thread of its own, because the runtime of a test ends with the test.
    CLUSTER.get_or_init(|| std::thread::spawn(start).join().expect("the control plane starts"))
}

fn start() -> Cluster {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::temp_dir().join(format!("singletrack-it-{}", std::process::id()));
    let mut starter = Command::new("sh")
        .arg(root.join("tests/cluster/start"))
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("sh is there");
    let mut line = String::new();
    let mut output = BufReader::new(starter.stdout.take().expect("it is piped"));
    output.read_line(&mut line).expect("the starter speaks");
    let kubeconfig = line.trim().strip_prefix("ready ");
    let kubeconfig = PathBuf::from(kubeconfig.expect("the control plane is ready"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let config = runtime.expect("a runtime").block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = configuration(&kubeconfig).await;
        let client = Client::try_from(config.clone()).expect("a client");
        let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
        let crd = crd();
        let name = crd.name_any();
        crds.create(&PostParams::default(), &crd).await.expect("the CRD is accepted");
        let established = await_condition(crds, &name, conditions::is_crd_established());
        awaited("the CRD", established).await.expect("the CRD is established");
        // Its schema is served a moment later.
        poll("the schema of the CRD", async || {
            let place = "/openapi/v3/apis/singletrack.dev/v1alpha1";
            let request = http::Request::get(place).body(Vec::new()).expect("it is a request");
            client.request::<serde_json::Value>(request).await.ok()
        })
        .await;
        config
    });
    Cluster { kubeconfig, config, starter: Mutex::new((starter, output)) }
}

/// A namespace of one test, with what a test does in it.
#[derive(Clone)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) client: Client,
}

impl Namespace {
    /// A new namespace whose name begins with `purpose`.
    pub(crate) async fn new(purpose: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let cluster = tokio::task::spawn_blocking(cluster).await.expect("the control plane");
        let client = Client::try_from(cluster.config.clone()).expect("a client");
        let name = format!("{purpose}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let space = Space { metadata, ..Space::default() };
        let spaces: Api<Space> = Api::all(client.clone());
        spaces.create(&PostParams::default(), &space).await.expect("a namespace");
        Self { name, client }
    }

    /// The uid, by which the stores of its operators are known.
    pub(crate) async fn uid(&self) -> String {
        let spaces: Api<Space> = Api::all(self.client.clone());
        spaces.get(&self.name).await.expect("it is there").uid().expect("it has one")
    }

    pub(crate) fn requests(&self) -> Api<SyncRequest> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    pub(crate) fn leases(&self) -> Api<Lease> {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// Frees the Lease by hand, whoever holds it.
    pub(crate) async fn free_lease(&self) {
        loop {
            let lease = self.leases().get_opt("singletrack").await.expect("an answer");
            let Some(lease) = lease else { return };
            let free = release(&lease, Clock::default().now());
            match self.leases().replace("singletrack", &PostParams::default(), &free).await {
                Ok(_) => return,
                // The holder has renewed it.
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Creates a manual request of this name.
    pub(crate) async fn manual(&self, name: &str) -> SyncRequest {
        self.create(name, SyncRequestSpec::of(RunType::Manual)).await
    }

    pub(crate) async fn create(&self, name: &str, spec: SyncRequestSpec) -> SyncRequest {
        let request = SyncRequest::new(name, spec);
        self.requests().create(&PostParams::default(), &request).await.expect("it is accepted")
    }

    /// Changes fields of the spec.
    pub(crate) async fn change(&self, name: &str, spec: serde_json::Value) {
        let patch = Patch::Merge(serde_json::json!({ "spec": spec }));
        let changed = self.requests().patch(name, &PatchParams::default(), &patch).await;
        changed.expect("it is accepted");
    }

    pub(crate) async fn get(&self, name: &str) -> SyncRequest {
        self.requests().get(name).await.expect("it is there")
    }

    /// The request once `holds` is true of it.
    pub(crate) async fn request_when(
        &self,
        name: &str,
        what: &str,
        holds: impl Fn(&SyncRequest) -> bool,
    ) -> SyncRequest {
        awaited(&format!("{name} {what}"), seen(self.requests(), name, holds)).await
    }

    pub(crate) async fn in_phase(&self, name: &str, phase: Phase) -> SyncRequest {
        self.request_when(name, phase.as_str(), |request| phase_of(request) == phase).await
    }

    pub(crate) async fn finished(&self, name: &str) -> SyncRequest {
        self.request_when(name, "finished", |request| phase_of(request).is_terminal()).await
    }

    /// Waits for an Event of this reason about the request.
    pub(crate) async fn event(&self, request: &str, reason: &str) -> Event {
        let events: Api<Event> = Api::namespaced(self.client.clone(), &self.name);
        let about = ListParams::default().fields(&format!("reason={reason}"));
        poll(&format!("event {reason} of {request}"), async || {
            let list = events.list(&about).await.expect("events can be listed");
            list.items.into_iter().find(|event| {
                let regarding = event.regarding.as_ref();
                regarding.is_some_and(|it| it.name.as_deref() == Some(request))
            })
        })
        .await
    }

    /// The Lease once `holds` is true of it.
    pub(crate) async fn lease_when(&self, what: &str, holds: impl Fn(&Lease) -> bool) -> Lease {
        awaited(what, seen(self.leases(), "singletrack", holds)).await
    }
}

/// The object of this name once `holds` is true of it. A watch that ends is begun again.
async fn seen<K>(objects: Api<K>, name: &str, holds: impl Fn(&K) -> bool) -> K
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let mut versions = pin!(watch_object(objects, name).default_backoff());
    loop {
        let version = versions.next().await.expect("a watch goes on");
        if let Ok(Some(object)) = version
            && holds(&object)
        {
            return object;
        }
    }
}

pub(crate) fn phase_of(request: &SyncRequest) -> Phase {
    request.phase()
}
