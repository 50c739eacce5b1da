//! What the chart refuses, and whether a person understands why.

use serde_json::Value;

use super::tool::{Tools, chart};

/// Mistakes, and what is said of them.
const MISTAKES: [(&str, &[&str]); 40] = [
    ("{replicacount: 2}", &["additional properties 'replicacount' not allowed"]),
    ("{github: {existingSecert: a}}", &["at '/github'", "'existingSecert' not allowed"]),
    ("{image: {pullpolicy: Always}}", &["at '/image'", "'pullpolicy' not allowed"]),
    (
        "{schedules: {a: {type: manual, cron: '@daily', every: 1h}}}",
        &["at '/schedules/a'", "'every' not allowed"],
    ),
    ("{replicaCount: two}", &["at '/replicaCount': got string, want integer"]),
    ("{crds: {enabled: 'yes'}}", &["at '/crds/enabled': got string, want boolean"]),
    (
        "{image: {pullPolicy: always}}",
        &["at '/image/pullPolicy'", "one of 'Always', 'IfNotPresent', 'Never'"],
    ),
    ("{database: {type: mysql}}", &["at '/database/type'", "one of 'sqlite', 'postgres'"]),
    ("{log: {format: xml}}", &["at '/log/format'", "one of 'text', 'json'"]),
    ("{parallel: 100}", &["at '/parallel': maximum: got 100, want 64"]),
    (
        "{repositories: {include: acme/widgets}}",
        &["at '/repositories/include': got string, want array"],
    ),
    ("{persistence: {size: 5GB}}", &["at '/persistence/size'", "'5GB' does not match"]),
    ("{image: {digest: latest}}", &["at '/image/digest'", "'latest' does not match", "sha256"]),
    ("{schedules: {a: {cron: '@daily'}}}", &["at '/schedules/a': missing property 'type'"]),
    (
        "{schedules: {a: {type: weekly, cron: x}}}",
        &["at '/schedules/a/type'", "'manual', 'scheduled', 'automation'"],
    ),
    (
        "{schedules: {a: {type: manual, cron: x, concurrencyPolicy: Forbid}}}",
        &["'Queue', 'Coalesce', 'Reject'"],
    ),
    ("{commonLabels: {a: true}}", &["at '/commonLabels/a': got boolean, want string"]),
    ("{github: {app: {id: x}}}", &["at '/github/app/id': got string, want null or integer"]),
    (
        "{github: {existingSecret: ''}}",
        &["github.existingSecret is not set", "kubectl create secret", "github.app.id"],
    ),
    ("{github: {app: {installation: 7}}}", &["set the id of the App too"]),
    ("{repositories: {include: []}}", &["repositories.include is empty", "acme/widgets"]),
    ("{repositories: {include: [acme]}}", &["\"acme\" is not a repository", "write owner/name"]),
    (
        "{repositories: {exclude: ['a/b c']}}",
        &["repositories.exclude: \"a/b c\" is not a repository", "letters, digits"],
    ),
    (
        "{schedules: {a: {type: manual, cron: x, repositories: [acme/a*]}}}",
        &["schedules.a.repositories: \"acme/a*\" is not a repository", "owner/*"],
    ),
    (
        "{schedules: {a: {type: manual, cron: x, repositories: [acme]}}}",
        &["schedules.a.repositories: \"acme\" is not a repository", "write owner/name"],
    ),
    (
        "{schedules: {a: {type: automation, cron: x, automation: true}}}",
        &["schedules.a: automation: true goes with type: scheduled only", "is automation"],
    ),
    (
        "{schedules: {a: {type: manual, cron: x, startingDeadlineSeconds: 9}}}",
        &["schedules.a.startingDeadlineSeconds is 9", "write 10 or more"],
    ),
    (
        "{schedules: {a: {type: manual, cron: 'TZ=Etc/UTC 0 3 * * *'}}}",
        &["schedules.a.cron is \"TZ=Etc/UTC", "name it in timeZone"],
    ),
    (
        "{schedules: {a: {type: manual, cron: 'CRON_TZ=Etc/UTC 0 3 * * *'}}}",
        &["schedules.a.cron", "name it in timeZone"],
    ),
    (
        "{serviceAccount: {create: false}}",
        &["serviceAccount.name is empty", "the account default", "rbac.create=false"],
    ),
    (
        "{replicaCount: 2}",
        &["replicaCount is 2, but SQLite", "set replicaCount=1", "database.type=postgres"],
    ),
    (
        "{database: {type: postgres}}",
        &["database.existingSecret is not set", "kubectl create secret", "uri=postgres://"],
    ),
    (
        "{database: {existingSecret: pg}}",
        &["database.type is sqlite", "set database.type=postgres"],
    ),
    (
        "{github: {ca: {existingSecret: a, existingConfigMap: b}}}",
        &["github.ca names a ConfigMap and a Secret"],
    ),
    ("{watch: {allNamespaces: true, namespaces: [a]}}", &["take one of them out"]),
    ("{lease: {staleAfter: soon}}", &["lease.staleAfter is \"soon\"", "30m"]),
    ("{retention: {removed: '90'}}", &["retention.removed is \"90\"", "90d"]),
    (
        "{schedules: {Nightly: {type: manual, cron: '@daily'}}}",
        &["schedule \"Nightly\"", "use a-z, 0-9"],
    ),
    (
        "{fullnameOverride: a-name-of-fifty-letters-a-name-of-fifty-letters-ab, schedules: {ab: {type: manual, cron: '@daily'}}}",
        &["longer than the 52 letters", "fullnameOverride"],
    ),
    (
        "{podDisruptionBudget: {enabled: true, maxUnavailable: null}}",
        &["set minAvailable or maxUnavailable"],
    ),
];

#[test]
fn a_mistake_is_refused_with_what_is_right() {
    let tools = Tools::offline();
    for (values, words) in MISTAKES {
        let said = tools.template("tools", values);
        assert_ne!(said.code, 0, "{values} is accepted");
        for word in words {
            assert!(said.err.contains(word), "{values}: no {word:?} in {}", said.err);
        }
    }
}

#[test]
fn the_chart_is_in_good_form() {
    let tools = Tools::offline();
    let chart = chart();
    let chart = chart.to_string_lossy();
    tools.helm(&["lint", "--strict", &chart], "").with(0, &["0 chart(s) failed"]);
    let all = "{github: {existingSecret: a}, repositories: {include: [a/b]}}";
    let said = tools.helm(&["lint", "--strict", &chart, "-f", "-"], all);
    let said = said.with(0, &["0 chart(s) failed"]);
    assert!(!said.out.contains("[WARNING]") && !said.out.contains("[ERROR]"), "{said:?}");
}

/// The oldest Kubernetes that knows the definition's selectable fields.
#[test]
fn a_kubernetes_that_does_not_know_the_definition_is_refused() {
    let tools = Tools::offline();
    let chart = chart();
    let chart = chart.to_string_lossy();
    let template = |version| {
        let args = ["template", "x", &chart, "-f", "-", "--kube-version", version];
        tools.helm(&args, super::tool::NEEDED)
    };
    let said = template("1.30.9");
    assert!(said.code != 0 && said.err.contains(">=1.31.0-0"), "{said:?}");
    template("1.31.0-gke.1").with(0, &[]);
}

/// A typo is refused at every depth, but for what is Kubernetes' own.
#[test]
fn every_object_of_the_schema_knows_all_its_keys() {
    let file = std::fs::read_to_string(chart().join("values.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&file).unwrap();
    let mut open = Vec::new();
    walk("", &schema, &mut open);
    let kubernetes = ["extraEnv", "extraVolumeMounts", "extraVolumes", "imagePullSecrets"];
    open.retain(|path| !kubernetes.iter().any(|own| path == &format!("/{own}/[]")));
    assert_eq!(open, Vec::<String>::new());
}

/// Finds the objects that list their keys and allow others.
fn walk(path: &str, schema: &Value, open: &mut Vec<String>) {
    if let Some(properties) = schema["properties"].as_object() {
        if schema["additionalProperties"] != false {
            open.push(path.to_owned());
        }
        for (key, below) in properties {
            walk(&format!("{path}/{key}"), below, open);
        }
    }
    if schema["items"].is_object() {
        walk(&format!("{path}/[]"), &schema["items"], open);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}/*"), &schema["additionalProperties"], open);
    }
}
