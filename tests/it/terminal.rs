//! What makes the commands pleasant at a terminal: completion in kubectl, krew, and commands in the
//! operator's pod.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command as Process, Output};

use kube::api::PostParams;
use serde_json::Value;
use singletrack::lease::vacant;
use singletrack::store::Sqlite;

use crate::chart::tool::programs;
use crate::requests::github;
use crate::support::{Command, Namespace, cluster, operator, phase_of};

#[tokio::test]
async fn kubectl_completes_commands_flags_and_names() {
    let space = Namespace::new("complete").await;
    let folder = tempfile::tempdir().unwrap();
    space.manual("nightly-1").await;
    space.manual("other").await;
    let script = Command::new(&["completion", "kubectl"]).said().await.with(0, &[]).out;
    let program = folder.path().join("kubectl_complete-singletrack");
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    symlink(env!("CARGO_BIN_EXE_singletrack"), folder.path().join("kubectl-singletrack")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let complete = |words: &[&str]| -> Vec<String> {
        let output = Process::new(programs().join("kubectl"))
            .arg("__complete")
            .arg("singletrack")
            .args(words)
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .env("KUBECONFIG", &cluster().kubeconfig)
            .env("HOME", folder.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
    };
    assert_eq!(complete(&["wai"]), ["wait", ":4"]);
    assert_eq!(complete(&["run", "--ignore"]), ["--ignore-already-exists", ":4"]);
    assert_eq!(complete(&["run", "--policy", ""]), ["queue", "coalesce", "reject", ":4"]);
    assert_eq!(complete(&["wait", "-n", &space.name, "night"]), ["nightly-1", ":4"]);
    let from = complete(&["run", "-n", &space.name, "--from", ""]);
    assert_eq!(from, ["syncrequest/nightly-1", "syncrequest/other", ":4"]);
    assert_eq!(complete(&["query", "--config", ""]), [":0"], "a file");
}

#[test]
fn the_krew_manifest_is_of_this_version_and_has_each_platform() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/krew.yaml");
    let manifest: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(manifest["apiVersion"], "krew.googlecontainertools.github.com/v1alpha2");
    assert_eq!(
        (&manifest["kind"], &manifest["metadata"]["name"]),
        (&"Plugin".into(), &"singletrack".into())
    );
    let version = concat!("v", env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["spec"]["version"], version);
    let short = manifest["spec"]["shortDescription"].as_str().unwrap();
    assert!(short.len() <= 50 && !short.ends_with('.'), "krew shows it in a table: {short}");
    let mut found = Vec::new();
    for platform in manifest["spec"]["platforms"].as_array().unwrap() {
        let labels = &platform["selector"]["matchLabels"];
        let (os, arch) = (labels["os"].as_str().unwrap(), labels["arch"].as_str().unwrap());
        let file = format!("/{version}/singletrack-{os}-{arch}.tar.gz");
        assert!(platform["uri"].as_str().unwrap().ends_with(&file), "{platform}");
        assert_eq!(platform["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(platform["bin"], "singletrack");
        found.push(format!("{os}/{arch}"));
    }
    found.sort();
    assert_eq!(found, ["darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64"]);
}

/// A command as `kubectl exec` starts it in the pod: with the file's name in the environment.
fn in_the_pod(config: &Path, args: &[&str]) -> Output {
    let mut command = Process::new(env!("CARGO_BIN_EXE_singletrack"));
    let command = command.args(args).env_clear().env("SINGLETRACK_CONFIG", config);
    command.env("KUBECONFIG", &cluster().kubeconfig).output().unwrap()
}

#[tokio::test]
async fn in_the_pod_commands_know_the_configuration_and_a_backup_goes_through_the_pipe() {
    let space = Namespace::new("inpod").await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let github = github(1, 20).await;
    let _operator = operator(&space, &github, &data).start();
    space.manual("first").await;
    assert!(phase_of(&space.finished("first").await).is_terminal());
    let config = folder.path().join("config.yaml");
    let database = data.join("store.db");
    std::fs::write(&config, format!("{{database: {{path: {database:?}}}, lease: {{name: mine}}}}"))
        .unwrap();
    let left = data.join(".backup-0.part");
    std::fs::write(&left, "of one that was killed").unwrap();
    let taken = data.join(".backup-1.part");
    let taken_by_another = std::fs::File::create(&taken).unwrap();
    taken_by_another.lock().unwrap();

    let sent = in_the_pod(&config, &["backup", "-"]);
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(sent.status.success() && said.contains("intact, newest run 1"), "{said}");
    let copy = folder.path().join("copy.db");
    std::fs::write(&copy, &sent.stdout).unwrap();
    let question = "SELECT number, title FROM issues ORDER BY number";
    let rows = async |path: &Path, question: &str| {
        let store = Sqlite::read_only(path);
        let rows = store.query(question).await.unwrap();
        store.close().await;
        rows.1
    };
    assert_eq!(rows(&copy, "PRAGMA integrity_check").await[0][0], "ok");
    let copied = rows(&copy, question).await;
    assert!(copied.len() >= 10, "{}", copied.len());
    assert_eq!(copied, rows(&database, question).await);
    assert!(!left.exists(), "nobody needs it");
    assert!(taken.exists(), "another backup is at work");
    std::fs::remove_file(&taken).unwrap();
    let names = std::fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.map(|it| it.to_string_lossy().into_owned()).all(|it| !it.contains("backup")));

    let asked = in_the_pod(&config, &["query", "-o", "csv", "SELECT count(*) AS n FROM issues"]);
    assert_eq!(String::from_utf8_lossy(&asked.stdout), format!("n\r\n{}\r\n", copied.len()));
    space.leases().create(&PostParams::default(), &vacant("mine")).await.unwrap();
    for (command, said) in [
        (["queue", "-n", &space.name], "/mine is free"),
        (["pause", "-n", &space.name], "/mine is paused"),
        (["resume", "-n", &space.name], "/mine is not paused"),
        (["unlock", "-n", &space.name], "/mine is free already"),
    ] {
        let output = in_the_pod(&config, &command);
        assert!(String::from_utf8_lossy(&output.stdout).contains(said), "{command:?} {output:?}");
    }
}
