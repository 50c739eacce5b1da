//! A token that is replaced while the operator runs.

use serde_json::json;
use singletrack::api::Phase;

use super::main_job::ask;
use super::{GitHub, Release, among_others, kubectl, namespace, pods};
use crate::support::{phase_of, poll};

#[tokio::test]
#[ignore = "needs a node: make e2e"]
async fn a_token_is_replaced_without_a_restart() {
    let _others = among_others().await;
    let space = namespace("rotated").await;
    GitHub::SMALL.apply(&space).await;
    let release = Release::new(space.clone());
    release.install().await;
    ask(&space, "before").await;
    assert_eq!(phase_of(&space.finished("before").await), Phase::Succeeded);

    // GitHub lets in another token only: a run says so, and says what to do.
    let rotated = GitHub { token: "another-token-of-the-tests", ..GitHub::SMALL };
    rotated.serve(&space).await;
    ask(&space, "refused").await;
    let refused = space.finished("refused").await;
    assert_eq!(phase_of(&refused), Phase::Failed);
    let status = format!("{:?}", refused.status);
    assert!(status.contains("Unauthorized"), "{status}");

    let new = json!({"stringData": {"token": rotated.token}}).to_string();
    kubectl(&space, &["patch", "secret", "github", "-p", &new]).await.with(0, &["patched"]);
    // The kubelet writes the new token into the pod's volume in its own time.
    let seen = async || (release.exec(&["doctor"]).await.code == 0).then_some(());
    poll("the token is in the pod", seen).await;
    ask(&space, "after").await;
    assert_eq!(phase_of(&space.finished("after").await), Phase::Succeeded);
    let [pod] = &pods(&space).await[..] else { panic!("one pod") };
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    assert_eq!(statuses.map(|all| all[0].restart_count), Some(0));
    // None of the tokens is told anywhere.
    let log = kubectl(&space, &["logs", "deployment/singletrack"]).await.with(0, &[]);
    for token in [GitHub::SMALL.token, rotated.token] {
        assert!(!log.out.contains(token) && !status.contains(token), "a token was told");
    }
}
