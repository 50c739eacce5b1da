//! The main job: install, apply, a CronJob, and operators that go in the middle of a run.

use kube::ResourceExt;
use kube::api::ListParams;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use singletrack::api::{Phase, SyncRequest};

use super::tool::apply;
use super::{GitHub, Release, alone, among_others, delete_pod, kubectl, namespace, pods, setting};
use crate::support::{Namespace, phase_of, poll};

/// What `make e2e SHORT=1` runs.
#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn install_apply_a_cronjob_and_a_deleted_pod() {
    let mut first = alone().await;
    let release = &mut *first;
    let space = release.space.clone();

    ask(&space, "by-hand").await;
    let first_run = half_read(&space, "by-hand").await;
    let [pod] = &pods(&space).await[..] else { panic!("one pod") };
    delete_pod(&space, pod).await;
    let request = space.finished("by-hand").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    let run = request.status.and_then(|status| status.run_number);
    assert_eq!(run, Some(first_run + 1), "the next pod's run");
    release.holds_all().await;

    release.set(json!({"schedules": {"often": {"type": "manual", "cron": "* * * * *"}}}));
    release.upgrade().await;
    let request = scheduled(&space, "often").await;
    assert_eq!(phase_of(&space.finished(&request.name_any()).await), Phase::Succeeded);
    let jobs = ["get", "job", &request.name_any(), "-o", "jsonpath={.status.succeeded}"];
    poll("the Job succeeds", async || (kubectl(&space, &jobs).await.out == "1").then_some(()))
        .await;
    release.set(json!({"schedules": {"often": {"suspend": true}}}));
    release.upgrade().await;
}

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn a_killed_container_takes_over_from_itself_at_once() {
    if setting("SINGLETRACK_NODE").is_none() {
        eprintln!("skipped: the processes of that node are not ours to kill");
        return;
    }
    let _others = among_others().await;
    let space = namespace("killed").await;
    GitHub::SLOW.apply(&space).await;
    let release = Release::new(space.clone());
    release.install().await;
    ask(&space, "killed").await;
    half_read(&space, "killed").await;
    let [pod] = &pods(&space).await[..] else { panic!("one pod") };
    kill_process(process(pod), Signal::KILL).expect("it can be killed");
    let request = space.finished("killed").await;
    assert_eq!(phase_of(&request), Phase::Succeeded, "{:?}", request.status);
    let takeovers = "SELECT count(*) FROM sync_runs WHERE takeover_reason = 'OwnEarlier'";
    assert_eq!(release.number(takeovers).await, 1);
    let [again] = &pods(&space).await[..] else { panic!("one pod") };
    assert_eq!(again.uid(), pod.uid(), "the container was started again, and not the pod");
    release.holds_all().await;
}

/// Applies a manual request, as the README shows it.
pub(super) async fn ask(space: &Namespace, name: &str) {
    let request = json!({
        "apiVersion": "singletrack.dev/v1alpha1", "kind": "SyncRequest",
        "metadata": {"name": name}, "spec": {"type": "manual"},
    });
    apply(space, &request).await.with(0, &[&format!("{name} created")]);
}

/// Waits until a run of the request has read a few repositories. Gives its number.
pub(super) async fn half_read(space: &Namespace, name: &str) -> i64 {
    let some = |request: &SyncRequest| {
        let progress = request.status.as_ref().and_then(|status| status.progress.as_ref());
        progress.is_some_and(|it| {
            it.repositories_done >= 2 && it.repositories_done < it.repositories_total
        })
    };
    let request = space.request_when(name, "is half read", some).await;
    request.status.and_then(|status| status.run_number).expect("it runs under a number")
}

/// The first request of the schedule.
async fn scheduled(space: &Namespace, schedule: &str) -> SyncRequest {
    let of = ListParams::default().labels(&format!("singletrack.dev/schedule={schedule}"));
    let look = async || {
        let list = space.requests().list(&of).await.expect("requests can be listed");
        list.items.into_iter().next()
    };
    poll("a request of the schedule", look).await
}

/// The process of the pod's only container, as the node sees it.
fn process(pod: &k8s_openapi::api::core::v1::Pod) -> Pid {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let id = statuses.and_then(|all| all[0].container_id.as_deref()).expect("it has started");
    let id = id.rsplit('/').next().expect("an id");
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let mut numbers = processes.filter_map(|it| it.file_name().to_str()?.parse::<i32>().ok());
    let of_pod = |number: &i32| {
        let groups = std::fs::read_to_string(format!("/proc/{number}/cgroup"));
        groups.is_ok_and(|groups| groups.contains(id))
    };
    Pid::from_raw(numbers.find(of_pod).expect("its process")).expect("not zero")
}
