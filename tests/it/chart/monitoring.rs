//! The alerts and the dashboard speak of metrics that there are.

use std::collections::BTreeSet;

use serde_json::Value;
use singletrack::report::Metrics;

use super::sets::SETS;
use super::tool::{Tools, of_kind, one};

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
