//! The configuration that the chart renders, read by the operator itself.

use std::fs;

use super::sets::{SETS, pods};
use super::tool::{Tools, of_kind};
use crate::support::{APP_KEY, Command};

/// Where the operator finds its files in the pod.
const FILES: [(&str, &str); 6] = [
    ("/secrets/github/token", "a-token"),
    ("/secrets/github/key.pem", APP_KEY),
    ("/secrets/database/url", "postgres://me@db.example/tracks"),
    ("/secrets/database/password", "a-password"),
    ("/certificates/github/ca.pem", include_str!("../../keys/ca.pem")),
    ("/certificates/database/ca.pem", include_str!("../../keys/ca.pem")),
];

#[tokio::test]
async fn the_operator_accepts_the_configuration_of_each_set() {
    let tools = Tools::offline();
    for (path, text) in FILES {
        let file = tools.folder().join(&path[1..]);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    for (set, values) in SETS {
        let objects = tools.rendered("tools", values);
        let text = objects.iter().find_map(|object| object["data"]["config.yaml"].as_str());
        let mut text = text.expect("a configuration").to_owned();
        for (path, _) in FILES {
            let there = tools.folder().join(&path[1..]);
            text = text.replace(path, &there.to_string_lossy());
        }
        let file = tools.folder().join("config.yaml");
        fs::write(&file, &text).unwrap();
        let said = Command::new(&["controller", "--config", &file.to_string_lossy()]).said().await;
        // It has read everything before it looks for the cluster.
        assert!(said.err.contains("cannot find a cluster"), "{set}: {}\n{text}", said.err);
    }
}

/// Each file that the configuration names is where a volume puts it.
#[test]
fn each_file_of_the_configuration_is_mounted() {
    let tools = Tools::offline();
    for (set, values) in SETS {
        let objects = tools.rendered("tools", values);
        let text = objects.iter().find_map(|object| object["data"]["config.yaml"].as_str());
        let text = text.expect("a configuration");
        let (_, pod) = pods(&objects).remove(0);
        for (path, _) in FILES.iter().filter(|(path, _)| text.contains(path)) {
            let (folder, file) = path.rsplit_once('/').unwrap();
            let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
            let mount = mounts.iter().find(|mount| mount["mountPath"] == folder);
            let mount = mount.unwrap_or_else(|| panic!("{set}: {folder} is not mounted"));
            assert_eq!(mount["readOnly"], true, "{set}: {folder}");
            let volumes = pod["spec"]["volumes"].as_array().unwrap();
            let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
            assert!(volume.unwrap().to_string().contains(&format!("\"path\":\"{file}\"")), "{set}");
        }
    }
}

#[test]
fn a_change_of_the_configuration_changes_the_pod() {
    let tools = Tools::offline();
    let sum = |values| {
        let objects = tools.rendered("tools", values);
        let deployment = of_kind(&objects, "Deployment").next().unwrap();
        let template = &deployment["spec"]["template"];
        template["metadata"]["annotations"]["checksum/config"].to_string()
    };
    assert_eq!(sum("{}"), sum("{metrics: {serviceMonitor: {enabled: true}}}"));
    assert_ne!(sum("{}"), sum("{parallel: 5}"));
}
