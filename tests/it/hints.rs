//! Every error ends with what to try.

use std::net::TcpListener;
use std::path::Path;

use crate::support::{Account, Command, Namespace, cluster, poll};

/// What a command is told of its surroundings.
struct Place<'a> {
    folder: &'a Path,
    namespace: &'a str,
    kubeconfig: Option<&'a Path>,
}

/// The last line that the command has said, once it has failed.
async fn last_line(place: &Place<'_>, line: &str) -> (i32, String) {
    let folder = place.folder.to_string_lossy();
    let line = line.replace("FOLDER", &folder).replace("SPACE", place.namespace);
    let words: Vec<_> = line.split('|').map(str::trim).collect();
    let mut command = Command::new(&words).env("GITHUB_TOKEN", "");
    if let Some(kubeconfig) = place.kubeconfig {
        command = command.env("KUBECONFIG", kubeconfig);
    }
    let said = command.said().await;
    let last = said.err.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    (said.code, last.replace(place.namespace, "SPACE"))
}

const RIGHTS: &str = "see which rights are missing with: singletrack doctor";
const README: &str = "correct it: the README lists all keys (Configure)";
const DATABASE: &str = "singletrack doctor, or name another with --database";

#[tokio::test]
async fn without_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("wrong.yaml", "parallel: many\n");
    write("unknown.yaml", "github:\n  apiUrk: x\n");
    write("times.yaml", "lease: {staleAfter: 10s, heartbeat: 9s}\n");
    write("there.db", "not a database, but a text that is longer than a header of one would be");
    write(
        "nowhere.config",
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n\
        contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n\
        clusters: [{name: a, cluster: {server: 'http://127.0.0.1:9'}}]\n",
    );
    let place = Place { folder: folder.path(), namespace: "tools", kubeconfig: None };
    let mut wrong = Vec::new();
    for (line, code, end) in [
        ("run", 1, "set KUBECONFIG, or run inside a pod"),
        ("queue", 1, "set KUBECONFIG, or run inside a pod"),
        ("controller", 1, "set KUBECONFIG, or run inside a pod"),
        ("run | --sooner", 2, "try '--help'."),
        ("run | --label=team", 2, "try '--help'."),
        ("completion | sh", 2, "try '--help'."),
        ("run | --wait | --dry-run=client", 2, "leave --wait out"),
        ("--log=a=b=c | version", 2, "as info,singletrack=debug"),
        ("controller | --config=/nowhere", 2, "with --config or SINGLETRACK_CONFIG"),
        ("query | --config=/nowhere | SELECT 1", 2, "with --config or SINGLETRACK_CONFIG"),
        ("controller | --config=FOLDER/wrong.yaml", 2, README),
        ("doctor | --config=FOLDER/unknown.yaml", 2, README),
        ("local | --config=FOLDER/times.yaml", 2, "or lease.heartbeat shorter"),
        ("local | --parallel=0 | --track=a/b", 2, "use 1 to 64"),
        ("local", 2, "--track owner/name"),
        ("local | --track=a/b", 1, "to a GitHub App"),
        ("local | --track=a/b | --github-url=ftp://x", 2, "use https"),
        ("local | --track=a/b | --github-ca=/nowhere", 2, "name a file in PEM form"),
        ("local | --track=a/b | --github-ca=FOLDER/times.yaml", 2, "and END CERTIFICATE"),
        ("local | --track=a/b | --github-token=t | --database=/nowhere/a.db", 1, DATABASE),
        ("local | --track=a/b | --github-token=t | --database=FOLDER/there.db", 1, DATABASE),
        ("query | --database=/nowhere | SELECT 1", 1, "-- /singletrack query \"…\""),
        ("query | --database=FOLDER/there.db | SELECT 1", 1, "\"SELECT name FROM sqlite_schema\""),
        ("backup | x.db | --database=/nowhere", 1, "-- /singletrack query \"…\""),
        ("backup | FOLDER/there.db | --database=FOLDER/there.db", 1, "name a new file"),
        ("backup | /nowhere/x.db | --database=FOLDER/there.db", 1, "another folder or name"),
        ("backup | FOLDER/x.db | --database=FOLDER/there.db", 1, "try again"),
        ("backup | - | --database=FOLDER/there.db", 1, "try again"),
    ] {
        let (found, last) = last_line(&place, line).await;
        if found != code || !last.ends_with(end) {
            wrong.push(format!("{line}: {found} {last}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let deaf = folder.path().join("nowhere.config");
    let place = Place { kubeconfig: Some(&deaf), ..place };
    let (code, last) = last_line(&place, "queue").await;
    assert!(code == 1 && last.ends_with("answers with: singletrack doctor"), "{last}");
}

#[tokio::test]
async fn with_a_cluster() {
    let space = Namespace::new("hints").await;
    let folder = tempfile::tempdir().unwrap();
    space.manual("there").await;
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let kubeconfig = Some(cluster().kubeconfig.as_path());
    let place = Place { folder: folder.path(), namespace: &space.name, kubeconfig };
    let mut wrong = Vec::new();
    let listen = format!("controller | --listen={}", taken.local_addr().unwrap());
    for (line, code, end) in [
        (listen.as_str(), 1, "name another address with --listen"),
        ("run | -n | nowhere", 1, "name another with -n"),
        ("run | -n | SPACE | --priority=200", 1, "kubectl explain syncrequests.spec"),
        ("run | -n | SPACE | --name=there", 1, "choose another, or leave --name out"),
        ("run | -n | SPACE | --from=cronjob/x", 1, "kubectl get cronjobs -n SPACE"),
        ("wait | -n | SPACE | nobody", 1, "kubectl get syncrequests -n SPACE"),
        ("wait | -n | SPACE | there | --timeout=10ms", 124, "singletrack wait there"),
        ("cancel | -n | SPACE | nobody", 1, "kubectl get syncrequests -n SPACE"),
        ("cancel | -n | SPACE | --all", 2, "confirm with --yes"),
        ("pause | -n | SPACE", 1, "name another place with -n and --lease"),
        ("unlock | -n | SPACE", 1, "name another place with -n and --lease"),
        ("queue | -n | SPACE | --config=/nowhere", 2, "with --config or SINGLETRACK_CONFIG"),
    ] {
        let (found, last) = last_line(&place, line).await;
        if found != code || !last.ends_with(end) {
            wrong.push(format!("{line}: {found} {last}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let account = Account::new(&space, "nobody", &[]).await;
    let file = account.kubeconfig(folder.path());
    let place = Place { kubeconfig: Some(&file), ..place };
    for line in ["queue", "run", "wait | x", "cancel | x", "cancel | --all | --yes", "pause"] {
        let line = format!("{line} | -n | SPACE");
        let (found, last) = poll("the account is known", async || {
            Some(last_line(&place, &line).await).filter(|(_, last)| !last.contains("nauthorized"))
        })
        .await;
        assert!(found == 1 && last.ends_with(RIGHTS), "{line}: {found} {last}");
    }
}
