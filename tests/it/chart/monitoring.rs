//! The alerts and the dashboard speak of metrics that there are.

use std::collections::BTreeSet;

use serde_json::Value;
use singletrack::report::Metrics;

use super::sets::SETS;
use super::tool::{Tools, of_kind, one};
use crate::requests::{github, open_issues};
use crate::support::{Account, Namespace, history, operator, poll};

/// The names of our metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let words = text.split(|letter| !part(letter)).filter(|word| word.starts_with("singletrack_"));
    words.map(str::to_owned).collect()
}

fn monitoring(tools: &Tools) -> Vec<Value> {
    let (_, values) = SETS.iter().find(|(set, _)| *set == "monitoring").unwrap();
    tools.rendered("tools", values)
}

#[test]
fn each_metric_that_is_asked_for_is_there() {
    let objects = monitoring(&Tools::offline());
    let rules = one(&objects, "PrometheusRule", "x-singletrack");
    let dashboard = one(&objects, "ConfigMap", "x-singletrack-dashboard");
    let board = dashboard["data"]["singletrack.json"].as_str().unwrap();
    let board: Value = serde_json::from_str(board).expect("the dashboard is JSON");
    assert!(board["panels"].as_array().unwrap().len() > 3);
    let asked: BTreeSet<_> = names(&format!("{rules}{board}"));
    assert!(asked.len() > 5, "{asked:?}");

    let text = Metrics::default().text();
    // A counter's type is told without the end that its samples have.
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let there: BTreeSet<_> = types
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| format!("{name}{}", if kind == "counter" { "_total" } else { "" }))
        .collect();
    let missing: Vec<_> = asked.difference(&there).collect();
    assert!(missing.is_empty(), "{missing:?} of {there:?}");
    let unused: Vec<_> = there.difference(&asked).collect();
    assert!(unused.is_empty(), "nobody looks at {unused:?}");
    let rules = rules.to_string().replace("\\\"", "\"");
    let states = rules.split("state=").skip(1).filter_map(|rest| rest.split('"').nth(1));
    let states: Vec<_> = states.flat_map(|states| states.split('|')).collect();
    assert!(states.len() > 2, "{states:?}");
    for state in states {
        assert!(
            text.contains(&format!("singletrack_runs_total{{state=\"{state}\"}} 0")),
            "{state}"
        );
    }
}

#[test]
fn prometheus_finds_the_service() {
    let objects = monitoring(&Tools::offline());
    let monitor = one(&objects, "ServiceMonitor", "x-singletrack");
    let service = one(&objects, "Service", "x-singletrack");
    let labels = &service["metadata"]["labels"];
    for (label, value) in monitor["spec"]["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(&labels[label], value, "{label}");
    }
    assert_eq!(monitor["spec"]["endpoints"][0]["port"], service["spec"]["ports"][0]["name"]);
    assert_eq!(monitor["metadata"]["labels"]["a"], "b");
    let rules = one(&objects, "PrometheusRule", "x-singletrack");
    for rule in rules["spec"]["groups"][0]["rules"].as_array().unwrap() {
        assert!(rule["alert"].as_str().unwrap().starts_with("Singletrack"));
        assert!(rule["annotations"]["summary"].is_string() && rule["expr"].is_string());
    }
    let dashboard = one(&objects, "ConfigMap", "x-singletrack-dashboard");
    assert_eq!(dashboard["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(of_kind(&Tools::offline().rendered("tools", "{}"), "ServiceMonitor").count(), 0);
}

/// The alert of this name.
fn alert(name: &str) -> Value {
    let objects = monitoring(&Tools::offline());
    let rules = one(&objects, "PrometheusRule", "x-singletrack");
    let rules = rules["spec"]["groups"][0]["rules"].as_array().unwrap().clone();
    rules.into_iter().find(|rule| rule["alert"] == name).unwrap_or_else(|| panic!("no {name}"))
}

/// Whoever scrapes names the job, and what was seen before an operator was there is not asked for.
#[test]
fn an_alert_asks_for_the_namespace_and_for_what_there_is() {
    let objects = monitoring(&Tools::offline());
    let rules = one(&objects, "PrometheusRule", "x-singletrack");
    for rule in rules["spec"]["groups"][0]["rules"].as_array().unwrap() {
        let expr = rule["expr"].as_str().unwrap();
        assert!(!expr.contains("job="), "{expr}");
        for rest in expr.split("singletrack_").skip(1) {
            let (_, selector) = rest.split_once('{').unwrap_or_else(|| panic!("{expr}"));
            assert!(selector.starts_with("namespace=\"tools\""), "{expr}");
        }
        for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
            assert_eq!(expr.matches(open).count(), expr.matches(close).count(), "{expr}");
        }
        let ranges = expr.split('[').skip(1).filter_map(|rest| rest.split(']').next());
        assert!(ranges.clone().all(|range| !range.contains(':')), "a subquery: {expr}");
    }
}

#[test]
fn an_alert_can_fire_and_does_not_fire_at_a_long_run() {
    // What is added at once at the end of a run has passed before any `for` is over.
    assert_eq!(alert("SingletrackGitHubLimit")["for"], Value::Null);
    let still = alert("SingletrackQueueStandsStill");
    assert_eq!(still["for"], "2h");
    let expr = still["expr"].as_str().unwrap();
    let (waits, runs) = expr.split_once(" unless ").expect("it looks at what runs");
    assert!(waits.contains("singletrack_waiting_requests"), "{expr}");
    assert!(runs.contains("singletrack_running_requests"), "{expr}");
    let ready = alert("SingletrackNotReady");
    assert_eq!(
        (&ready["for"], ready["expr"].as_str().unwrap().ends_with("== 0")),
        (&"15m".into(), true)
    );
}

/// The value of the sample of this name and these labels.
fn sample(text: &str, name: &str) -> i64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().expect("a number")
}

const SUCCESS: &str = "singletrack_last_success_timestamp_seconds{type=\"manual\"}";

#[tokio::test]
async fn the_metrics_tell_whether_it_is_ready_what_runs_and_when_it_succeeded() {
    let (space, folder, github) =
        (Namespace::new("gauges").await, tempfile::tempdir().unwrap(), github(1, 3).await);
    let gate = github.hold(open_issues());
    let operator = operator(&space, &github, folder.path()).start();
    operator.ready().await;
    let is = async |name: &str, value: i64| {
        let there = async || (sample(&operator.metrics().await, name) == value).then_some(());
        poll(&format!("{name} is {value}"), there).await;
    };
    is("singletrack_ready", 1).await;
    is("singletrack_running_requests", 0).await;
    space.manual("asks").await;
    is("singletrack_running_requests", 1).await;
    is(SUCCESS, 0).await;
    gate.open();
    space.finished("asks").await;
    is("singletrack_running_requests", 0).await;
    let ended = history(folder.path()).await[0].completed_at.unwrap();
    is(SUCCESS, ended.timestamp()).await;
}

#[tokio::test]
async fn the_metrics_tell_that_it_is_not_ready() {
    let (space, folder, github) =
        (Namespace::new("notready").await, tempfile::tempdir().unwrap(), github(1, 3).await);
    let account = Account::new(&space, "nobody", &[]).await;
    let kubeconfig = account.kubeconfig(folder.path());
    let operator = operator(&space, &github, folder.path());
    let operator = operator.env("KUBECONFIG", &kubeconfig.to_string_lossy()).start();
    operator.ready_when(|status, _| status == 503).await;
    assert_eq!(sample(&operator.metrics().await, "singletrack_ready"), 0);
}
