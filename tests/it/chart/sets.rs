//! Sets of values that together turn each option on and off, and what holds of all of them.

use serde_json::{Value, json};

use super::tool::{NEEDED, Tools, chart, of_kind};
use crate::support::{Namespace, cluster};

/// Values over those that each release needs, by what they are about.
pub(super) const SETS: [(&str, &str); 25] = [
    ("nothing", "{}"),
    (
        "names",
        "{nameOverride: track, commonLabels: {team: web}, podLabels: {a: b}, podAnnotations: {c: d}}",
    ),
    (
        "a whole name",
        "{fullnameOverride: whole, extraObjects: [{apiVersion: v1, kind: ConfigMap, metadata: {name: '{{ .Release.Name }}-more'}}, \"apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: text}\"]}",
    ),
    (
        "an image",
        "{image: {registry: 'registry.example:5000', repository: a/b, tag: t, pullPolicy: Always}, imagePullSecrets: [{name: pull}]}",
    ),
    (
        "a digest",
        "{image: {tag: t, digest: 'sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'}}",
    ),
    ("no definition", "{crds: {enabled: false}}"),
    ("a definition that goes", "{crds: {keep: false, annotations: {a: b}}}"),
    ("a definition with annotations", "{crds: {annotations: {a: b}}}"),
    (
        "no service account",
        "{serviceAccount: {create: false}, rbac: {create: false, aggregateClusterRoles: false}}",
    ),
    (
        "a service account",
        "{serviceAccount: {name: mine, annotations: {a: b}}, lease: {name: lock, staleAfter: 1h, heartbeat: 1m 30s, protect: true}}",
    ),
    (
        "an App",
        "{github: {app: {id: 1234567890, installation: 9876543210, privateKeyKey: key}, apiUrl: 'http://github.test', allowInsecure: true, quotaFloor: 0}}",
    ),
    (
        "a way",
        "{github: {ca: {existingConfigMap: ca}, proxyUrl: 'http://proxy.example:3128', noProxy: [a, b]}}",
    ),
    ("a secret authority", "{github: {tokenKey: pat, ca: {existingSecret: ca, key: ca.pem}}}"),
    (
        "repositories",
        "{repositories: {include: [a/b, c/*], exclude: [c/d], archived: true, forks: true}, rules: {closedStatus: status/x, keepLabels: [], excludeLabels: [a], writeBack: true, statuses: [x]}}",
    ),
    (
        "a server",
        "{database: {type: postgres, existingSecret: pg, ca: {existingConfigMap: ca, key: ca.pem}}, replicaCount: 3, topologySpreadConstraints: [{maxSkew: 1, topologyKey: a, whenUnsatisfiable: ScheduleAnyway, labelSelector: {matchLabels: {a: b}}}]}",
    ),
    (
        "a server with all",
        "{database: {type: postgres, existingSecret: pg, urlKey: url, passwordKey: password, schema: tracks, readerRoles: [bi], ca: {existingSecret: ca}}, podDisruptionBudget: {enabled: true, maxUnavailable: 2}}",
    ),
    ("a volume", "{persistence: {size: 1.5Ti, storageClass: fast, keep: false}}"),
    ("no class", "{persistence: {storageClass: '-'}, replicaCount: 0}"),
    (
        "a claim",
        "{persistence: {existingClaim: mine}, podDisruptionBudget: {enabled: true, minAvailable: '50%'}}",
    ),
    (
        "all namespaces",
        "{watch: {allNamespaces: true}, requests: {retryAfter: 1s, stallAfter: 1h, ttlSecondsAfterFinished: null}, parallel: 8}",
    ),
    ("some namespaces", "{watch: {namespaces: [default, kube-public, default]}}"),
    (
        "schedules",
        "{schedules: {a: {type: manual, cron: '@daily'}, b: {type: scheduled, cron: '0 3 * * *', timeZone: Europe/Berlin, suspend: true, startingDeadlineSeconds: 60, concurrencyPolicy: Reject, repositories: [a/b], automation: true, full: true, priority: 9, activeDeadlineSeconds: 60, backoffLimit: 0, ttlSecondsAfterFinished: 0}}}",
    ),
    (
        "times",
        "{retention: {syncRuns: '', quarantine: 1d, workflowRuns: 1y, workflowJobs: 2w, removed: 90d}, limits: {workflowRuns: 1000000, releases: null, pullRequests: 5}, log: {level: debug, format: json}}",
    ),
    (
        "monitoring",
        "{metrics: {serviceMonitor: {enabled: true, interval: 30s, labels: {a: b}}, prometheusRule: {enabled: true, labels: {a: b}}, grafanaDashboard: {enabled: true, labels: {a: b}, annotations: {c: d}}}, networkPolicy: {enabled: true, ingress: [{from: [{podSelector: {}}]}], egress: [{ports: [{port: 443}]}]}, global: {a: b}, enabled: true}",
    ),
    (
        "a pod of one's own",
        "{podSecurityContext: {runAsNonRoot: false, runAsUser: 7, runAsGroup: 7, fsGroup: 7, fsGroupChangePolicy: Always, seccompProfile: {type: Unconfined}}, containerSecurityContext: {allowPrivilegeEscalation: true, readOnlyRootFilesystem: false, capabilities: {drop: [NET_RAW]}}, resources: {requests: {cpu: 1, memory: 1Gi}, limits: {cpu: 1, memory: 1Gi}}, nodeSelector: {a: b}, tolerations: [{operator: Exists}], affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}, priorityClassName: system-cluster-critical, networkPolicy: {enabled: true}, extraEnv: [{name: A, value: b}], extraEnvFrom: [{configMapRef: {name: a, optional: true}}], extraArgs: [--parallel=2], extraVolumes: [{name: more, emptyDir: {}}], extraVolumeMounts: [{name: more, mountPath: /more}]}",
    ),
];

/// The pods that these objects make, each with the name of its maker.
pub(super) fn pods(objects: &[Value]) -> Vec<(String, &Value)> {
    let pod = |object: &'static str, path: &'static str| {
        of_kind(objects, object).map(move |it| {
            let name = it["metadata"]["name"].as_str().expect("a name");
            (format!("{object} {name}"), it.pointer(path).expect("a pod"))
        })
    };
    pod("Deployment", "/spec/template")
        .chain(pod("CronJob", "/spec/jobTemplate/spec/template"))
        .chain(pod("Pod", ""))
        .collect()
}

/// Calls with each option that is no place for others: its path, and its default.
fn options(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value.as_object().filter(|map| !map.is_empty()) {
        None => found.push((path.to_owned(), value.clone())),
        Some(map) => {
            for (key, below) in map {
                options(&format!("{path}/{key}"), below, found);
            }
        }
    }
}

#[test]
fn each_option_has_another_value_in_a_set() {
    let values = std::fs::read_to_string(chart().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&values).unwrap();
    // What each release needs is in each set.
    let sets = SETS.iter().map(|(_, set)| *set).chain([NEEDED]);
    let sets: Vec<Value> = sets.map(|set| serde_saphyr::from_str(set).unwrap()).collect();
    let mut all = Vec::new();
    options("", &values, &mut all);
    assert!(all.len() > 100, "{all:?}");
    all.retain(|(path, default)| {
        !sets.iter().any(|set| set.pointer(path).is_some_and(|value| value != default))
    });
    let same: Vec<_> = all.into_iter().map(|(path, _)| path).collect();
    assert_eq!(same, Vec::<String>::new(), "no set changes these");
}

/// A definition in the place of one of the Prometheus operator's, with the fields that we use.
fn stand_in(kind: &str, spec: Value) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({"type": "object", "properties": {"spec": spec}});
    let version = json!({"name": "v1", "served": true, "storage": true,
        "schema": {"openAPIV3Schema": schema}});
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.monitoring.coreos.com"), "annotations":
            {"api-approved.kubernetes.io": "unapproved, a stand-in of a test"}},
        "spec": {"group": "monitoring.coreos.com", "scope": "Namespaced", "versions": [version],
            "names": {"kind": kind, "plural": plural}}})
}

/// Lets the API server know what the Prometheus operator brings.
fn install_monitoring(tools: &Tools) {
    let text = json!({"type": "string"});
    let texts = json!({"type": "object", "additionalProperties": text});
    let list = |properties: Value, required: Value| {
        let items = json!({"type": "object", "properties": properties, "required": required});
        json!({"type": "array", "minItems": 1, "items": items})
    };
    let time = json!({"type": "string", "pattern": "^[0-9]+[hms]$"});
    let rules = list(
        json!({"alert": text, "expr": text, "for": time, "labels": texts, "annotations": texts}),
        json!(["expr"]),
    );
    let groups = list(json!({"name": text, "rules": rules}), json!(["name"]));
    let endpoints = list(json!({"port": text, "path": text, "interval": time}), json!([]));
    let selector = json!({"type": "object", "properties": {"matchLabels": texts}});
    let spec = |properties: Value| json!({"type": "object", "properties": properties});
    let definitions = [
        stand_in("PrometheusRule", spec(json!({"groups": groups}))),
        stand_in("ServiceMonitor", spec(json!({"selector": selector, "endpoints": endpoints}))),
    ];
    for definition in definitions {
        tools.kubectl(&["apply", "-f", "-"], &definition.to_string()).with(0, &[]);
        let name = definition["metadata"]["name"].as_str().expect("a name");
        let wait = ["wait", "--for=condition=Established", "--timeout=60s", "crd", name];
        tools.kubectl(&wait, "").with(0, &[]);
    }
}

#[tokio::test]
async fn the_api_server_accepts_each_set() {
    let space = Namespace::new("dryrun").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let all = ["apply", "--dry-run=server", "--validate=strict", "-f", "-"];
    install_monitoring(&tools);
    for (set, values) in SETS {
        let mut objects = tools.rendered(&space.name, values);
        // Its service account is only made with it.
        objects.retain(|object| object["kind"] != "Pod");
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        let said = tools.kubectl(&all, &list.to_string());
        assert_eq!(said.code, 0, "{set}: {}", said.err);
    }
}

/// A pod is refused by the level `restricted` as soon as one of its containers does not keep to it.
#[tokio::test]
async fn pods_keep_to_the_level_restricted() {
    let space = Namespace::new("restricted").await;
    let tools = Tools::of(&cluster().kubeconfig);
    let label = "pod-security.kubernetes.io/enforce=restricted";
    tools.kubectl(&["label", "namespace", &space.name, label], "").with(0, &[]);
    // The one set that changes the security contexts is left out.
    for (set, values) in SETS.iter().filter(|(set, _)| *set != "a pod of one's own") {
        let objects = tools.rendered(&space.name, values);
        for (maker, pod) in pods(&objects) {
            let account = pod["spec"]["serviceAccountName"].as_str().expect("it has one");
            tools.kubectl(&["create", "serviceaccount", account, "-n", &space.name], "");
            let mut pod = pod.clone();
            pod["kind"] = json!("Pod");
            pod["apiVersion"] = json!("v1");
            pod["metadata"]["name"] = json!("tried");
            if maker.starts_with("Deployment") {
                pod["spec"]["restartPolicy"] = json!("Always");
            }
            let try_it = ["create", "--dry-run=server", "--validate=strict", "-n", &space.name];
            let said = tools.kubectl(&[&try_it[..], &["-f", "-"]].concat(), &pod.to_string());
            assert_eq!(said.code, 0, "{set}: {maker}: {}", said.err);
        }
    }
}
