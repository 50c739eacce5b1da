//! What the automation sync asks, and what it is told, held against GitHub's own description.

use std::sync::Arc;

use secrecy::SecretString;
use singletrack::api::{Phase, RunType};
use singletrack::github::{Access, BaseUrl};
use singletrack::sync::{Parts, ReadLimits};

use crate::auth;
use crate::referee::has;
use crate::stand_in::{Feature, Sizes, World};
use crate::support::{APP_KEY, Attempt, Judged, TOKEN, judged};
use crate::sync::store;

const REPOSITORY: &str = "acme/widgets-0";

fn world() -> World {
    let sizes = Sizes { runs: 130, releases: 60, ..Sizes::default() };
    let mut world = World::generate_with(11, 2, 120, sizes);
    world.token = Some(TOKEN.to_owned());
    world.add_repository("acme/empty");
    world
}

fn attempt(github: &Judged) -> Attempt {
    let base = BaseUrl::parse(github.base_url(), false).unwrap();
    let access = Access::with_token(base, SecretString::from(TOKEN));
    Attempt { access, parts: Parts::of(RunType::Scheduled, true), ..Attempt::over(github) }
}

#[tokio::test]
async fn every_request_and_answer_of_an_automation_sync_is_legal() {
    let Some(github) = judged(world()).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let all = ReadLimits { releases: 1000, ..ReadLimits::default() };
    let first = Attempt { limits: all, ..attempt(&github) }.run(&store).await.conclusion;
    assert_eq!(first.phase, Phase::Succeeded, "{}", first.message);
    let asked = github.exchanges();
    for (part, status) in [
        ("/actions/workflows?per_page=100", 200),
        ("/actions/runs?per_page=100", 200),
        ("/jobs?filter=all&per_page=100", 200),
        ("/releases?per_page=100", 200),
        ("/pulls?state=all&sort=updated&direction=desc&per_page=100", 200),
        ("/commits?sha=main&per_page=1", 200),
        ("/repos/acme/empty/commits", 409),
        ("/orgs/acme/packages?package_type=container", 200),
        ("/packages/container/widgets%2Fpart%2D0/versions", 200),
        // The second page, as the Link header names it.
        ("/actions/runs?per_page=100&page=2", 200),
    ] {
        assert!(has(&asked, part, status), "{part}: {asked:?}");
    }

    let waiting = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        repository.start_run(workflow)
    });
    attempt(&github).run(&store).await;
    github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        for _ in 0..120 {
            let run = repository.start_run(workflow);
            repository.finish_run(run, "success");
        }
        let pull = repository.open_pull_request("a change");
        repository.merge_pull_request(pull);
        world.publish_version("acme", "npm", "new", "1.0.0");
        world.repository_mut("acme/widgets-1").refuse(Feature::Actions);
    });
    for _ in 0..2 {
        let partly = attempt(&github).run(&store).await.conclusion;
        assert_eq!(partly.phase, Phase::PartiallySucceeded, "{}", partly.message);
    }
    let asked = github.exchanges();
    assert!(has(&asked, &format!("/actions/runs/{waiting}"), 200), "{asked:?}");
    assert!(has(&asked, &format!("/actions/runs/{waiting}"), 304), "{asked:?}");
    assert!(has(&asked, "/repos/acme/widgets-1/actions/workflows", 403), "{asked:?}");
    assert!(has(&asked, "/orgs/acme/packages?package_type=npm", 304), "{asked:?}");
    store.close().await;
}

#[tokio::test]
async fn an_app_and_the_packages_of_a_person_are_asked_for_legally() {
    let mut world = world();
    world.make_person("acme");
    world.app = auth::world(0, 0).app;
    let Some(github) = judged(world).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path()).await;
    let limits = ReadLimits { workflow_runs: 30, releases: 7, pull_requests: Some(3) };
    let came = Attempt { limits, ..attempt(&github) }.run(&store).await;
    assert_eq!(came.conclusion.phase, Phase::Succeeded, "{}", came.conclusion.message);
    let asked = github.exchanges();
    assert!(has(&asked, "/orgs/acme/packages", 404), "{asked:?}");
    assert!(has(&asked, "/users/acme/packages", 200), "{asked:?}");
    assert!(has(&asked, "/actions/runs?per_page=30", 200), "{asked:?}");

    let access = auth::access(github.base_url(), Arc::new(|| Ok(auth::app(APP_KEY, None))));
    let as_app = Attempt { access, full: true, ..attempt(&github) }.run(&store).await.conclusion;
    assert!(as_app.message.contains("no packages of acme"), "{}", as_app.message);
    assert!(has(&github.exchanges(), "/packages?package_type=npm", 403));
    store.close().await;
}
