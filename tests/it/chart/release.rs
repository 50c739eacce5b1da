//! How a release lives: installed, changed, taken back, removed and installed again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tool::{NEEDED, Tools, chart};
use crate::support::{Namespace, Said, cluster};

/// A release in a namespace of its own. No node is there, so its pods stay pending.
struct Release {
    tools: Tools,
    space: Namespace,
}

impl Release {
    async fn new(purpose: &str) -> Self {
        let space = Namespace::new(purpose).await;
        Self { tools: Tools::of(&cluster().kubeconfig), space }
    }

    fn helm(&self, args: &[&str], input: &str) -> Said {
        self.tools.helm(&[args, &["-n", &self.space.name]].concat(), input)
    }

    /// `helm install` or `helm upgrade`, with flags after it.
    fn put(&self, verb: &str, flags: &[&str]) -> Said {
        let chart = chart();
        let chart = chart.to_string_lossy();
        self.helm(&[&[verb, "x", &chart, "-f", "-"], flags].concat(), NEEDED)
    }

    /// The object as it is, or null.
    fn get(&self, kind: &str, name: &str) -> Value {
        let args = ["get", kind, name, "--ignore-not-found", "-o", "json", "-n", &self.space.name];
        let said = self.tools.kubectl(&args, "").with(0, &[]);
        serde_json::from_str(&said.out).unwrap_or(Value::Null)
    }

    fn deployment(&self) -> Value {
        self.get("deployment", "x-singletrack")["spec"].clone()
    }

    fn checksum(&self) -> Value {
        let template = &self.deployment()["template"];
        template["metadata"]["annotations"]["checksum/config"].clone()
    }
}

/// A chart as it was before there was the value `parallel`.
fn older(folder: &Path) -> PathBuf {
    let older = folder.join("older");
    let said = Command::new("cp").arg("-r").args([&chart(), &older]).status().expect("cp is there");
    assert!(said.success());
    let change = |file: &str, change: &dyn Fn(&str) -> bool| {
        let file = older.join(file);
        let text = fs::read_to_string(&file).unwrap();
        let left: Vec<_> = text.lines().filter(|line| change(line)).collect();
        assert!(left.len() < text.lines().count(), "{}", file.display());
        fs::write(&file, left.join("\n")).unwrap();
    };
    let without = |line: &str| !line.trim_start().trim_start_matches('"').starts_with("parallel");
    for file in ["values.yaml", "values.schema.json", "templates/_config.tpl"] {
        change(file, &without);
    }
    let text = fs::read_to_string(older.join("Chart.yaml")).unwrap();
    let text = text.replace(concat!("version: ", env!("CARGO_PKG_VERSION")), "version: 0.0.1");
    fs::write(older.join("Chart.yaml"), text).unwrap();
    older
}

/// `helm upgrade --reset-then-reuse-values` takes the new chart's defaults and keeps what was set.
#[tokio::test]
async fn a_release_of_an_older_chart_is_upgraded() {
    let it = Release::new("older").await;
    let older = older(it.tools.folder());
    let set = "crds.enabled=false,requests.retryAfter=7s";
    let args = ["install", "x", &older.to_string_lossy(), "-f", "-", "--set", set];
    it.helm(&args, NEEDED).with(0, &[]);
    let config = || it.get("configmap", "x-singletrack")["data"]["config.yaml"].to_string();
    let chart_of =
        || it.get("service", "x-singletrack")["metadata"]["labels"]["helm.sh/chart"].clone();
    assert!(!config().contains("parallel"), "{}", config());
    assert_eq!(chart_of(), "singletrack-0.0.1");
    let (claim, chart) = (it.get("pvc", "x-singletrack")["metadata"]["uid"].clone(), chart());
    let args = ["upgrade", "x", &chart.to_string_lossy(), "--reset-then-reuse-values"];
    it.helm(&args, "").with(0, &["STATUS: deployed"]);
    assert!(config().contains("parallel: 4"), "the new default: {}", config());
    assert!(config().contains("retryAfter: 7s"), "what was set: {}", config());
    assert_eq!(chart_of(), concat!("singletrack-", env!("CARGO_PKG_VERSION")));
    assert_eq!(it.get("pvc", "x-singletrack")["metadata"]["uid"], claim);
}

const CRD: &str = "syncrequests.singletrack.dev";

#[tokio::test]
async fn a_release_comes_changes_goes_and_comes_back_to_its_data() {
    let one = Release::new("release").await;
    // The definition that the tests share was not made by Helm.
    let said = one.put("install", &["--take-ownership"]).with(0, &["Try it:"]);
    for command in ["kubectl create -n", "kubectl wait -n", "kubectl exec -n"] {
        assert!(said.out.contains(&format!("{command} {}", one.space.name)), "{said:?}");
    }
    assert!(said.out.contains("generateName"), "a name is there once: {said:?}");
    assert!(said.out.contains("which no public registry has"), "{said:?}");
    one.space.manual("kept").await;
    let claim = one.get("pvc", "x-singletrack")["metadata"]["uid"].clone();
    let first = one.checksum();

    let two = Release::new("second").await;
    let refused = two.put("install", &[]);
    assert!(refused.code != 0 && refused.err.contains(CRD), "{refused:?}");
    two.put("install", &["--set", "crds.enabled=false"]).with(0, &["crds.enabled is false"]);
    two.helm(&["uninstall", "x"], "").with(0, &[]);

    one.put("upgrade", &["--set", "parallel=9"]).with(0, &[]);
    assert_ne!(one.checksum(), first);
    let server = ["--set", "database.type=postgres,database.existingSecret=pg,replicaCount=3"];
    one.put("upgrade", &server).with(0, &[]);
    assert_eq!(one.deployment()["strategy"]["type"], "RollingUpdate");
    assert_eq!(one.get("pvc", "x-singletrack")["metadata"]["uid"], claim, "it is kept");
    one.helm(&["rollback", "x", "1"], "").with(0, &[]);
    assert_eq!(one.checksum(), first);
    assert_eq!(one.deployment()["strategy"]["type"], "Recreate");
    assert_eq!(one.deployment()["replicas"], 1);

    one.helm(&["uninstall", "x"], "").with(0, &["kept due to the resource policy"]);
    assert_eq!(one.deployment(), Value::Null);
    assert_eq!(one.get("role", "x-singletrack"), Value::Null);
    one.space.get("kept").await;
    one.put("install", &[]).with(0, &["STATUS: deployed"]);
    assert_eq!(one.get("pvc", "x-singletrack")["metadata"]["uid"], claim, "the same volume");
    assert!(one.get("crd", CRD)["metadata"]["labels"]["helm.sh/chart"].is_string());
    one.space.get("kept").await;
}
