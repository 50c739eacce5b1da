//! The commands, as a person or a script uses them.

use clap::{CommandFactory, ValueEnum};
use http::Method;
use k8s_openapi::api::batch::v1::CronJob;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use singletrack::api::{ConcurrencyPolicy, Phase, RunType, SyncRequest, SyncRequestSpec};
use singletrack::cli::Cli;
use singletrack::lease::{is_paused, vacant};
use singletrack::store::{Sqlite, Store};

use crate::requests::{github, holder, open_issues};
use crate::stand_in::Matcher;
use crate::support::{Command, Namespace, Proxy, Said, awaited, cluster, operator, phase_of};

async fn within(space: &Namespace, args: &[&str]) -> Said {
    Command::within(space, args).said().await
}

#[tokio::test]
async fn a_proxy_is_no_way_to_a_cluster_that_no_proxy_names() {
    let space = Namespace::new("proxied").await;
    let queue = || Command::within(&space, &["queue"]).env("HTTPS_PROXY", "http://127.0.0.1:1");
    queue().env("NO_PROXY", "127.0.0.1").said().await.with(0, &[]);
    queue().said().await.with(1, &["tunnel", "singletrack doctor"]);
}

#[tokio::test]
async fn cancel_ends_what_waits_and_what_runs_and_leaves_alone_what_has_ended() {
    let space = Namespace::new("cancel").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("runs").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("runs", Phase::Running).await;
    space.manual("waits").await;
    space.in_phase("waits", Phase::Queued).await;

    within(&space, &["cancel", "sr/waits"]).await.with(0, &["/waits cancelled"]);
    assert_eq!(phase_of(&space.finished("waits").await), Phase::Cancelled);
    assert_eq!(phase_of(&space.get("runs").await), Phase::Running, "the other one goes on");

    within(&space, &["cancel", "runs", "--wait"]).await.with(0, &["/runs cancelled"]);
    assert_eq!(phase_of(&space.get("runs").await), Phase::Cancelled);
    within(&space, &["cancel", "runs"]).await.with(0, &["has ended already: Cancelled"]);
    within(&space, &["cancel", "--all", "-y"]).await.with(0, &["nothing to cancel"]);
}

#[tokio::test]
async fn cancel_takes_labels_and_asks_before_it_takes_many() {
    let space = Namespace::new("cancelmany").await;
    for name in ["web", "other"] {
        space.manual(name).await;
    }
    let label = Patch::Merge(json!({"metadata": {"labels": {"team": "web"}}}));
    space.requests().patch("web", &PatchParams::default(), &label).await.unwrap();
    within(&space, &["cancel", "-l", "team=web"]).await.with(2, &["Cancel web", "--yes"]);
    within(&space, &["cancel"]).await.with(2, &["NAME"]);
    within(&space, &["cancel", "web", "nobody"])
        .await
        .with(1, &["there is no SyncRequest", "kubectl get syncrequests"]);
    assert!(!space.get("web").await.spec.cancel, "all or none");
    within(&space, &["cancel", "-l", "team=web", "-y"]).await.with(0, &["/web cancelled"]);
    assert!(space.get("web").await.spec.cancel);
    assert!(!space.get("other").await.spec.cancel);
}

#[tokio::test]
async fn a_command_goes_on_when_nobody_reads_what_it_says() {
    let space = Namespace::new("unheard").await;
    for name in ["one", "two", "three"] {
        space.manual(name).await;
    }
    Command::new(&["version"]).unheard().await.with(0, &[]);
    Command::within(&space, &["cancel", "--all", "-y"]).unheard().await.with(0, &[]);
    for name in ["one", "two", "three"] {
        assert!(space.get(name).await.spec.cancel, "{name}");
    }
    // A command that fails says so by its code.
    Command::within(&space, &["cancel", "nobody"]).unheard().await.with(1, &[]);
}

#[tokio::test]
async fn a_request_that_took_the_name_of_another_is_not_cancelled_in_its_place() {
    let space = Namespace::new("replaced").await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    space.manual("same").await;
    let gate = proxy.hold(Method::PATCH, "/syncrequests/same", "cancel");
    let command = Command::within(&space, &["cancel", "same"]).env("KUBECONFIG", kubeconfig);
    let cancelling = command.start();
    proxy.taken("/syncrequests/same").await;
    space.requests().delete("same", &DeleteParams::default()).await.unwrap();
    space.manual("same").await;
    gate.send(true).unwrap();
    cancelling.said().await.with(1, &["was deleted in the meantime"]);
    assert!(!space.get("same").await.spec.cancel);
}

#[tokio::test]
async fn a_pause_that_meets_a_heartbeat_is_tried_again() {
    let space = Namespace::new("conflict").await;
    let folder = tempfile::tempdir().unwrap();
    let proxy = Proxy::start(&space).await;
    let kubeconfig = proxy.kubeconfig(folder.path());
    space.leases().create(&PostParams::default(), &vacant("singletrack")).await.unwrap();
    let gate = proxy.hold(Method::PUT, "/leases/singletrack", "paused");
    let pausing = Command::within(&space, &["pause"]).env("KUBECONFIG", kubeconfig).start();
    proxy.taken("/leases/singletrack").await;
    let mark = Patch::Merge(json!({"metadata": {"annotations": {"x": "y"}}}));
    space.leases().patch("singletrack", &PatchParams::default(), &mark).await.unwrap();
    gate.send(true).unwrap();
    pausing.said().await.with(0, &["is paused"]);
    let lease = space.leases().get("singletrack").await.unwrap();
    assert!(is_paused(&lease));
    assert!(lease.annotations().contains_key("x"), "what others wrote is kept");
}

#[tokio::test]
async fn the_exit_code_of_wait_says_how_it_ended() {
    let space = Namespace::new("wait").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("long").await;
    awaited("a page is held", gate.arrived()).await;
    within(&space, &["wait", "long", "--timeout", "300ms"])
        .await
        .with(124, &["has not ended within 300ms", "singletrack wait long"]);
    within(&space, &["run", "--policy", "reject", "-w"])
        .await
        .with(3, &["Rejected: long has been"]);
    space.manual("dropped").await;
    let waiting = Command::within(&space, &["wait", "dropped"]).start();
    within(&space, &["cancel", "dropped"]).await.with(0, &[]);
    waiting.said().await.with(5, &["Cancelled"]);
    let following = Command::within(&space, &["wait", "syncrequest/long"]).start();
    gate.open();
    following.said().await.with(0, &["Succeeded"]);
    within(&space, &["run", "-w", "--timeout", "80s"]).await.with(0, &["created", "Succeeded"]);
    within(&space, &["wait", "nobody"]).await.with(1, &["there is no SyncRequest"]);
}

#[tokio::test]
async fn a_paused_operator_starts_nothing_and_what_runs_goes_on() {
    let space = Namespace::new("pause").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 10).await;
    within(&space, &["pause"]).await.with(1, &["start it first"]);
    let gate = github.hold(open_issues());
    let _operator = operator(&space, &github, folder.path()).start();
    space.manual("runs").await;
    awaited("a page is held", gate.arrived()).await;
    space.in_phase("runs", Phase::Running).await;

    within(&space, &["pause"]).await.with(0, &["is paused", "singletrack resume"]);
    within(&space, &["pause"]).await.with(0, &["is paused"]);
    space.event("singletrack", "Paused").await;
    gate.open();
    assert_eq!(phase_of(&space.finished("runs").await), Phase::Succeeded, "it has gone on");
    space.lease_when("free and paused", |it| holder(it).is_empty() && is_paused(it)).await;
    for name in ["one", "two"] {
        space.manual(name).await;
        space.in_phase(name, Phase::Queued).await;
    }
    within(&space, &["queue"]).await.with(0, &["is free (paused: nothing starts)", "one", "two"]);
    assert_eq!(phase_of(&space.get("one").await), Phase::Queued, "it is held back");

    within(&space, &["resume"]).await.with(0, &["is not paused"]);
    for name in ["one", "two"] {
        assert_eq!(phase_of(&space.finished(name).await), Phase::Succeeded);
    }
    space.event("singletrack", "Resumed").await;
}

#[tokio::test]
async fn the_queue_is_told_to_people_and_to_programs() {
    let space = Namespace::new("queue").await;
    space.manual("low").await;
    let high = SyncRequestSpec { priority: 9, ..SyncRequestSpec::of(RunType::Manual) };
    space.create("high", high).await;
    let names = within(&space, &["queue", "-o", "name"]).await.with(0, &[]).out;
    let name = |name| format!("syncrequest.singletrack.dev/{name}\n");
    assert_eq!(names, name("high") + &name("low"));
    let json = within(&space, &["queue", "-o", "json"]).await.with(0, &[]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["lock"], Value::Null, "no operator has been here");
    assert_eq!(json["requests"][0]["metadata"]["name"], "high");
    within(&space, &["queue", "-o", "wide"]).await.with(0, &["ATTEMPTS", "there is no Lease"]);
    let none = within(&space, &["queue", "-l", "team=web"]).await.with(0, &["PLACE"]).out;
    assert!(!none.contains("low"), "{none}");
}

#[tokio::test]
async fn a_request_is_copied_from_another_or_from_a_cron_job() {
    let space = Namespace::new("from").await;
    let model = SyncRequestSpec {
        full: true,
        suspend: true,
        concurrency_policy: ConcurrencyPolicy::Coalesce,
        ..SyncRequestSpec::of(RunType::Scheduled)
    };
    space.create("model", model.clone()).await;
    let args = ["run", "--from", "syncrequest/model", "--name", "copy", "--priority", "9"];
    within(&space, &args).await.with(0, &["syncrequest.singletrack.dev/copy created"]);
    let copy = space.get("copy").await.spec;
    assert_eq!(copy, SyncRequestSpec { priority: 9, suspend: false, ..model });
    within(&space, &args).await.with(1, &["already exists", "a new run is a new name"]);

    let args = ["run", "scheduled", "--policy", "coalesce", "--ttl", "1d", "--wait"];
    let job: CronJob = serde_json::from_value(json!({"metadata": {"name": "nightly"}, "spec": {
        "schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "ask", "image": "singletrack", "args": args}]}}}}}}))
    .unwrap();
    let jobs: Api<CronJob> = Api::namespaced(space.client.clone(), &space.name);
    jobs.create(&PostParams::default(), &job).await.unwrap();
    let args = ["run", "--from", "cronjob/nightly", "--full", "-o", "json", "--dry-run", "server"];
    let said = within(&space, &args).await.with(0, &[]);
    let request: SyncRequest = serde_json::from_str(&said.out).unwrap();
    assert_eq!(request.spec.type_, RunType::Scheduled);
    assert_eq!(request.spec.ttl_seconds_after_finished, Some(86_400));
    assert!(request.spec.full && request.metadata.uid.is_some(), "the API server has seen it");
    let kept = space.requests().list(&ListParams::default()).await.unwrap();
    assert_eq!(kept.items.len(), 2, "and has not kept it");
    within(&space, &["run", "--from", "cj/weekly"]).await.with(1, &["kubectl get cronjobs"]);
}

#[tokio::test]
async fn what_the_schema_refuses_is_told_and_a_dry_run_of_the_client_needs_no_cluster() {
    let space = Namespace::new("refused").await;
    let nowhere = Command::new(&["run", "-n", "nowhere"]).env("KUBECONFIG", &cluster().kubeconfig);
    nowhere.said().await.with(1, &["namespaces \"nowhere\" not found", "-n"]);
    within(&space, &["run", "--priority", "200"]).await.with(1, &["spec.priority", "100"]);
    let args = "run scheduled -r acme/widgets --deadline 2h --backoff-limit 0 --preview \
                --dry-run=client -o yaml";
    let said = Command::new(&args.split(' ').collect::<Vec<_>>()).said().await.with(0, &[]);
    let request: SyncRequest = serde_saphyr::from_str(&said.out).unwrap();
    let spec = &request.spec;
    assert_eq!((spec.active_deadline_seconds, spec.backoff_limit), (Some(7200), 0));
    assert!(spec.dry_run && request.metadata.generate_name.as_deref() == Some("scheduled-"));
    let created = space.requests().create(&PostParams::default(), &request).await;
    assert_eq!(created.unwrap().spec, request.spec, "it can be applied as it is");
    let args = ["run", "--name", "now", "--dry-run=client"];
    Command::new(&args).said().await.with(0, &["/now created (dry run)"]);
    Command::new(&["run"]).said().await.with(1, &["set KUBECONFIG"]);
    Command::new(&["run", "-w", "--dry-run=client"]).said().await.with(2, &["--wait"]);
}

#[tokio::test]
async fn each_shell_learns_every_command() {
    for shell in clap_complete::Shell::value_variants() {
        let shell = shell.to_string();
        let said = Command::new(&["completion", &shell]).said().await.with(0, &[]);
        for command in Cli::command().get_subcommands().filter(|it| !it.is_hide_set()) {
            assert!(said.out.contains(command.get_name()), "{shell}: {}", command.get_name());
        }
    }
    Command::new(&["completion", "sh"]).said().await.with(2, &["fish"]);
}

#[tokio::test]
async fn a_backup_holds_the_same_rows_while_a_run_goes_on() {
    let space = Namespace::new("backup").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(2, 40).await;
    let gate = github.hold(Matcher::get("/repos/acme/widgets-1/issues").with("state", "closed"));
    let _operator =
        operator(&space, &github, folder.path()).env("SINGLETRACK_PARALLEL", "1").start();
    space.manual("long").await;
    awaited("a page is held", gate.arrived()).await;

    let copy = folder.path().join("copy.db");
    let args = ["backup", copy.to_str().unwrap()];
    let backup = async || Command::about(folder.path(), &args).said().await;
    backup().await.with(0, &["intact, newest run 1, running at "]);
    backup().await.with(1, &["exists already"]);
    let question = "SELECT * FROM issues ORDER BY id";
    let rows = async |path: &std::path::Path| {
        let store = Sqlite::read_only(path);
        let rows = store.query(question).await.unwrap();
        store.close().await;
        rows
    };
    let live = rows(&folder.path().join("store.db")).await;
    assert!(live.1.len() > 40, "the first repository is there");
    assert_eq!(rows(&copy).await, live);
    gate.open();
    assert_eq!(phase_of(&space.finished("long").await), Phase::Succeeded, "it was not disturbed");
    let nothing = ["backup", "x.db", "--database", "/nowhere/store.db"];
    Command::new(&nothing).said().await.with(1, &["there is no database", "--database"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().filter(is_part).count(), 0);
}

fn is_part(entry: &std::io::Result<std::fs::DirEntry>) -> bool {
    entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "part")
}

#[tokio::test]
async fn a_question_changes_nothing_and_its_answer_has_headings() {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::at(&folder.path().join("store.db"));
    store.prepare("somebody").await.unwrap();
    let query = async |args: &[&str]| {
        let args = [&["query"], args].concat();
        Command::about(folder.path(), &args).said().await
    };
    for write in [
        "DELETE FROM sync_store",
        "SELECT 1; DELETE FROM sync_store",
        "PRAGMA query_only = OFF; DELETE FROM sync_store",
        "CREATE TABLE mine (x)",
    ] {
        query(&[write]).await.with(1, &["begin with SELECT"]);
    }
    assert_eq!(store.inspect().await.unwrap().owner.as_deref(), Some("somebody"));
    let empty = query(&["SELECT id, title FROM issues"]).await.with(0, &[]).out;
    assert_eq!(empty.split_whitespace().collect::<Vec<_>>(), ["id", "title"]);
    let all = "SELECT 1 AS a, x'00ff' AS b, NULL AS c, 1.5 AS d, 'e' AS e";
    query(&[all]).await.with(0, &["x'00ff'"]);
    let json = query(&[all, "-o", "json"]).await.with(0, &[]).out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, json!([{"a": 1, "b": "x'00ff'", "c": null, "d": 1.5, "e": "e"}]));
    let csv = query(&[all, "-o", "csv"]).await.with(0, &[]).out;
    assert_eq!(csv, "a,b,c,d,e\r\n1,x'00ff',,1.5,e\r\n");
    query(&["SELECT * FROM missing"]).await.with(1, &["no such table", "sqlite_schema"]);
    query(&["SELECT 1", "--database", "/nowhere"]).await.with(1, &["there is no database"]);
    store.close().await;
}

#[tokio::test]
async fn a_database_of_another_operator_is_handed_over_without_a_restart() {
    let space = Namespace::new("adopt").await;
    let folder = tempfile::tempdir().unwrap();
    let github = github(1, 5).await;
    let store = Sqlite::at(&folder.path().join("store.db"));
    store.prepare("somebody-else").await.unwrap();
    let operator = operator(&space, &github, folder.path()).start();
    space.manual("patient").await;
    operator
        .ready_when(|status, text| {
            status == 503 && text.contains("StoreInUse") && text.contains("singletrack adopt")
        })
        .await;
    let adopt = async |args: &[&str]| {
        let args = [&["adopt"], args].concat();
        let command = Command::within(&space, &args);
        command.env("SINGLETRACK_DATABASE", folder.path().join("store.db")).said().await
    };
    adopt(&[]).await.with(2, &["somebody-else", "--yes"]);
    adopt(&["--yes"]).await.with(0, &["before: somebody-else", &space.name]);
    adopt(&["--yes"]).await.with(0, &["already"]);
    operator.ready().await;
    assert_eq!(phase_of(&space.finished("patient").await), Phase::Succeeded);
    store.close().await;
}
