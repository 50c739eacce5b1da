//! A release of the chart, in a namespace of its own.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard};
use uuid::Uuid;

use super::tool::{image, singletrack};
use super::{GitHub, client, helm, kubectl, namespace};
use crate::support::{Namespace, Said};

/// The name of each release, and of its objects.
pub(super) const NAME: &str = "singletrack";

pub(super) struct Release {
    pub(super) space: Namespace,
    /// The chart that it is installed from; a test may have one that is changed.
    pub(super) chart: String,
    pub(super) values: Value,
    folder: TempDir,
}

/// The release that owns the definition of our resource. It is installed by whoever comes first.
static FIRST: RwLock<Option<Release>> = RwLock::const_new(None);

/// Until the guard goes, nobody changes what the whole cluster shares.
pub(super) async fn among_others() -> RwLockReadGuard<'static, Option<Release>> {
    drop(alone().await);
    FIRST.read().await
}

/// Until the guard goes, this test is the only one; the first release is its own.
pub(super) async fn alone() -> RwLockMappedWriteGuard<'static, Release> {
    let mut first = FIRST.write().await;
    if first.is_none() {
        let space = namespace("first").await;
        GitHub::SLOW.apply(&space).await;
        let mut release = Release::new(space);
        release.set(json!({"crds": {"enabled": true}}));
        release.install().await;
        *first = Some(release);
    }
    let mut first = RwLockWriteGuard::map(first, |it| it.as_mut().expect("it is installed"));
    // The connections of a client end with the runtime of the test that made it.
    first.space.client = client().await;
    first
}

impl Release {
    /// One with SQLite that leaves the definition of our resource to another.
    pub(super) fn new(space: Namespace) -> Self {
        let image = image("SINGLETRACK_IMAGE", "singletrack");
        let (repository, tag) = image.rsplit_once(':').expect("SINGLETRACK_IMAGE is NAME:TAG");
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/singletrack");
        let mut release = Self {
            values: GitHub::values(&space),
            space,
            chart: chart.to_string_lossy().into_owned(),
            folder: tempfile::tempdir().expect("a folder"),
        };
        release.set(json!({
            "crds": {"enabled": false},
            "image": {"repository": repository, "tag": tag},
            "persistence": {"size": "1Gi"},
            "parallel": 2,
            "lease": {"heartbeat": "2s"},
        }));
        release
    }

    /// Changes values; those that are objects are merged.
    pub(super) fn set(&mut self, values: Value) {
        json_patch::merge(&mut self.values, &values);
    }

    pub(super) async fn install(&self) {
        self.helm("install").await.with(0, &["STATUS: deployed"]);
    }

    pub(super) async fn upgrade(&self) {
        self.helm("upgrade").await.with(0, &["STATUS: deployed"]);
    }

    /// `helm install` or `helm upgrade`, which wait until the operator is ready.
    pub(super) async fn helm(&self, verb: &str) -> Said {
        let file = self.folder.path().join("values.json");
        std::fs::write(&file, self.values.to_string()).expect("it can be written");
        let file = file.to_string_lossy();
        let args = [verb, NAME, &self.chart, "--values", &file, "--wait", "--timeout", "80s"];
        helm(&self.space, &args).await
    }

    pub(super) async fn uninstall(&self) {
        let args = ["uninstall", NAME, "--wait", "--timeout", "80s"];
        helm(&self.space, &args).await.with(0, &["uninstalled"]);
    }

    /// Runs our own program in the operator's pod.
    pub(super) async fn exec(&self, args: &[&str]) -> Said {
        let pod = format!("deployment/{NAME}");
        let mut all = vec!["exec", &pod, "--", "/singletrack"];
        all.extend(args);
        kubectl(&self.space, &all).await
    }

    /// The one number that the question is answered with.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let said = self.exec(&["query", "-o", "json", sql]).await.with(0, &[]);
        let rows: Value = serde_json::from_str(&said.out).expect("an answer in JSON");
        let row = rows[0].as_object().expect("one row");
        row.values().next().and_then(Value::as_i64).expect("one number")
    }

    /// Checks that a run that reads all again finds nothing to mend: all is there as at GitHub.
    pub(super) async fn holds_all(&self) {
        let name = format!("check-{}", Uuid::new_v4().simple());
        let args = ["run", "manual", "--full", "--name", &name, "--wait"];
        singletrack(&self.space, &args).await.with(0, &[]);
        let request = self.space.get(&name).await;
        let result = request.status.and_then(|status| status.result).expect("it has a result");
        assert_eq!((result.created, result.updated, result.removed), (0, 0, 0), "{result:?}");
        assert!(self.number("SELECT count(*) FROM issues").await > 0);
    }
}
