//! What the stand-in says of automation, held against GitHub's own description of its API.

use axum::body::Bytes;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::auth;
use crate::referee::{get, has};
use crate::stand_in::{App, Feature, Repository, Sizes, World};
use crate::support::{Judged, TOKEN, judged};

/// The stand-in with this world, or the end of the test where there is no referee.
macro_rules! judged {
    ($world:expr) => {
        match judged($world).await {
            Some(github) => github,
            None => return,
        }
    };
}

const REPOSITORY: &str = "acme/widgets-0";

struct Told {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Told {
    /// The values of this field, of all items.
    fn all(&self, list: &str, field: &str) -> Vec<Value> {
        let items = if list.is_empty() { &self.body } else { &self.body[list] };
        items.as_array().unwrap().iter().map(|item| item[field].clone()).collect()
    }

    fn message(&self) -> (u16, &str) {
        (self.status, self.body["message"].as_str().unwrap_or_default())
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Where the next page is, below the base URL.
    fn next(&self, github: &Judged) -> Option<String> {
        let mut links = self.header("link").split(", ");
        let next = links.find(|link| link.ends_with("rel=\"next\""))?;
        let url = next.strip_prefix('<')?.split_once('>')?.0.to_owned();
        Some(url.strip_prefix(github.base_url()).expect("it is absolute").to_owned())
    }
}

async fn ask_as(github: &Judged, method: Method, path: &str, header: (&str, &str)) -> Told {
    let request = Request::builder()
        .method(method)
        .uri(format!("{}{path}", github.base_url()))
        .header("authorization", format!("Bearer {TOKEN}"))
        .header(header.0, header.1);
    let request = match header.0 {
        "authorization" => {
            let mut request = request;
            request.headers_mut().unwrap().remove("authorization");
            request.header("authorization", header.1)
        }
        _ => request,
    };
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Told { status: head.status.as_u16(), headers: head.headers, body }
}

async fn ask(github: &Judged, path: &str) -> Told {
    ask_as(github, Method::GET, path, ("accept", "application/json")).await
}

/// Asks for what is below the repository.
async fn below(github: &Judged, rest: &str) -> Told {
    ask(github, &format!("/repos/{REPOSITORY}/{rest}")).await
}

fn world(sizes: Sizes) -> World {
    let mut world = World::generate_with(11, 1, 60, sizes);
    world.token = Some(TOKEN.to_owned());
    world.set_now(Some(auth::start()));
    world
}

#[tokio::test]
async fn every_list_of_automation_is_read_to_its_end_legally() {
    let github = judged!(world(Sizes::default()));
    let (id, owner) = github.world(|world| {
        let repository = world.repository(REPOSITORY);
        (repository.id(), repository.owner_id())
    });
    let pulls = github.world(|world| world.repository(REPOSITORY).pull_requests().count());
    let versions = github.world(|world| world.packages()[0].versions.len());
    let run = github.world(|world| {
        world.repository(REPOSITORY).runs().find(|run| run.attempt == 2).unwrap().id
    });
    let jobs = github.world(|world| world.repository(REPOSITORY).run(run).unwrap().jobs.len());
    let lists = [
        ("actions/workflows?per_page=2".to_owned(), "workflows", 3),
        ("actions/runs?per_page=7".to_owned(), "workflow_runs", 25),
        (format!("actions/runs/{run}/jobs?filter=all&per_page=1"), "jobs", jobs),
        ("releases?per_page=3".to_owned(), "", 4),
        ("pulls?state=all&sort=updated&direction=desc&per_page=5".to_owned(), "", pulls),
        ("commits?sha=main&per_page=5".to_owned(), "", 12),
    ];
    let lists = lists.map(|(rest, name, count)| {
        (format!("/repos/{REPOSITORY}/{rest}"), format!("/repositories/{id}/"), name, count)
    });
    let by_number = format!("/organizations/{owner}/packages");
    let packages = [
        ("/orgs/acme/packages?package_type=container&per_page=1".to_owned(), 2),
        ("/orgs/acme/packages/container/widgets%2Fpart-0/versions?per_page=1".to_owned(), versions),
    ];
    let packages = packages.map(|(path, count)| (path, by_number.clone(), "", count));
    for (path, place, name, count) in lists.into_iter().chain(packages) {
        let mut ids = Vec::new();
        let mut next = Some(path.clone());
        while let Some(path) = next {
            let told = ask(&github, &path).await;
            assert_eq!(told.status, 200, "{path}");
            let field = if path.contains("/commits") { "sha" } else { "id" };
            ids.extend(told.all(name, field).into_iter().map(|id| id.to_string()));
            assert!(name.is_empty() || told.body["total_count"] == count, "{path}");
            next = told.next(&github);
            assert!(next.as_ref().is_none_or(|next| next.starts_with(&place)), "{next:?}");
        }
        assert!(count > 1 && ids.len() == count, "{path}: {} of {count}", ids.len());
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count, "{path}");
    }
}

#[tokio::test]
async fn lists_are_in_github_s_order_and_told_once_only() {
    let github = judged!(world(Sizes::default()));
    let sorted = |told: &Told, list: &str, field: &str| {
        let times = told.all(list, field);
        times.is_sorted_by(|one, next| one.as_str() >= next.as_str()) && times.len() > 3
    };
    let runs = below(&github, "actions/runs?per_page=100").await;
    assert!(sorted(&runs, "workflow_runs", "created_at"));
    let pulls =
        below(&github, "pulls?state=all&sort=updated&direction=desc&since=2100-01-01").await;
    assert!(sorted(&pulls, "", "updated_at"), "a since is ignored");
    let objections = github.take().into_iter().filter(|one| !one.objection.is_empty());
    assert_eq!(objections.count(), 1, "GitHub does not know it, either");
    assert!(sorted(&below(&github, "releases").await, "", "created_at"));
    let issues = below(&github, "issues?state=all&per_page=100").await;
    let mut as_issues: Vec<u64> = issues
        .body
        .as_array()
        .unwrap()
        .iter()
        .filter(|issue| issue.get("pull_request").is_some())
        .map(|issue| issue["number"].as_u64().unwrap())
        .collect();
    let told = below(&github, "pulls?state=all&per_page=100").await.all("", "number");
    let mut as_pulls: Vec<u64> = told.iter().map(|number| number.as_u64().unwrap()).collect();
    as_issues.sort_unstable();
    as_pulls.sort_unstable();
    assert_eq!(as_issues, as_pulls);
    let used = github.world(|world| world.quota.used);
    for rest in ["actions/runs?per_page=100", "pulls", "releases", "commits", "actions/workflows"] {
        let path = format!("/repos/{REPOSITORY}/{rest}");
        let first = ask(&github, &path).await;
        let known = ("if-none-match", first.header("etag"));
        assert_eq!(ask_as(&github, Method::GET, &path, known).await.status, 304);
    }
    assert_eq!(github.world(|world| world.quota.used), used + 5);
}

#[tokio::test]
async fn a_run_keeps_its_id_and_all_its_jobs_through_all_attempts() {
    let github = judged!(world(Sizes::default()));
    let change = |change: fn(&mut Repository, u64), id| {
        github.world(|world| {
            world.set_now(Some(world.now() + chrono::TimeDelta::minutes(1)));
            change(world.repository_mut(REPOSITORY), id);
        });
    };
    let id = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let workflow = repository.workflows().next().unwrap().id;
        repository.start_run(workflow)
    });
    let path = format!("actions/runs/{id}");
    let started = below(&github, &path).await.body;
    assert_eq!((&started["status"], &started["conclusion"]), (&json!("in_progress"), &json!(null)));
    let newest = below(&github, "actions/runs?per_page=1").await;
    assert_eq!(newest.all("workflow_runs", "id"), [json!(id)]);
    change(|repository, id| repository.finish_run(id, "failure"), id);
    change(Repository::rerun, id);
    change(|repository, id| repository.finish_run(id, "success"), id);
    let told = below(&github, &path).await.body;
    assert_eq!((&told["run_attempt"], &told["conclusion"]), (&json!(2), &json!("success")));
    assert_eq!(told["created_at"], started["created_at"]);
    assert_ne!(told["run_started_at"], started["run_started_at"]);
    let all = below(&github, &format!("{path}/jobs?filter=all")).await;
    assert_eq!(all.all("jobs", "run_attempt"), [json!(1), json!(2)]);
    assert_eq!(all.all("jobs", "conclusion"), [json!("failure"), json!("success")]);
    assert_ne!(all.body["jobs"][0]["id"], all.body["jobs"][1]["id"]);
    let latest = below(&github, &format!("{path}/jobs")).await;
    assert_eq!(latest.all("jobs", "run_attempt"), [json!(2)]);
    change(|repository, id| drop(repository.delete_run(id)), id);
    assert_eq!(below(&github, &path).await.message(), (404, "Not Found"));
    assert_eq!(below(&github, &format!("{path}/jobs")).await.status, 404);
}

#[tokio::test]
async fn lists_of_runs_that_are_filtered_end_at_a_thousand() {
    let github = judged!(world(Sizes { runs: 1_400, ..Sizes::default() }));
    let last = |told: &Told| {
        let link = told.header("link").split(", ").find(|link| link.contains("rel=\"last\""));
        link.and_then(|link| link.split("&page=").nth(1)?.split('>').next()?.parse().ok())
    };
    let all = below(&github, "actions/runs?per_page=100").await;
    assert_eq!((&all.body["total_count"], last(&all)), (&json!(1_400), Some(14)));
    let filtered = below(&github, "actions/runs?created=%3E%3D2023-01-01&per_page=100").await;
    assert_eq!((&filtered.body["total_count"], last(&filtered)), (&json!(1_400), Some(10)));
    let beyond = below(&github, "actions/runs?created=%3E%3D2023-01-01&per_page=100&page=11").await;
    assert!(beyond.all("workflow_runs", "id").is_empty());
    let failed = below(&github, "actions/runs?status=failure&branch=main&per_page=100").await;
    let conclusions = failed.all("workflow_runs", "conclusion");
    assert!(!conclusions.is_empty() && conclusions.iter().all(|one| one == "failure"));
    for (created, some) in
        [("2023-01-01..2030-01-01", true), ("%3C2023-01-01", false), ("2031-01-01..*", false)]
    {
        let told = below(&github, &format!("actions/runs?created={created}")).await;
        assert_eq!(told.body["total_count"] != 0, some, "{created}");
    }
}

#[tokio::test]
async fn what_people_change_is_told_legally() {
    let github = judged!(world(Sizes::default()));
    let (open, merged, closed) = github.world(|world| {
        world.publish_version("acme", "npm", "gadget", "1.0.0");
        let repository = world.repository_mut(REPOSITORY);
        repository.push_release("v9.0.0");
        let [open, merged, closed] =
            ["a", "b", "c"].map(|title| repository.open_pull_request(title));
        repository.push_to_pull_request(open);
        repository.merge_pull_request(merged);
        repository.close_issue(closed);
        let pull = repository.issue_mut(open).unwrap().pull_request.as_mut().unwrap();
        pull.fork_is_gone = true;
        (open, merged, closed)
    });
    assert_eq!(below(&github, "releases").await.body[0]["tag_name"], "v9.0.0");
    let head = below(&github, "commits?sha=main&per_page=1").await.body[0].clone();
    assert_eq!(head["commit"]["message"], format!("b (#{merged})"));
    let sha = head["sha"].as_str().unwrap();
    assert_eq!(below(&github, &format!("commits?sha={sha}&per_page=1")).await.body[0], head);
    let pulls = below(&github, "pulls?state=all&sort=created&direction=desc&per_page=3").await;
    assert_eq!(pulls.all("", "number"), [json!(closed), json!(merged), json!(open)]);
    let [closed, merged, open] = [0, 1, 2].map(|at| &pulls.body[at]);
    assert_eq!((&merged["state"], &merged["merge_commit_sha"]), (&json!("closed"), &head["sha"]));
    assert!(merged["merged_at"].is_string() && closed["merged_at"].is_null());
    assert!(open["head"]["repo"].is_null() && open["base"]["repo"].is_object());
    let npm = ask(&github, "/orgs/acme/packages?package_type=npm").await;
    assert!(npm.all("", "name").contains(&json!("gadget")), "{}", npm.body);
    let versions = ask(&github, "/orgs/acme/packages/npm/gadget/versions").await;
    assert_eq!(versions.all("", "name"), [json!("1.0.0")]);
    let workflow = github.world(|world| {
        let repository = world.repository_mut(REPOSITORY);
        let id = repository.workflows().next().unwrap().id;
        repository.delete_workflow(id).unwrap().id
    });
    let told = below(&github, "actions/workflows").await.all("workflows", "id");
    assert!(told.len() == 2 && !told.contains(&json!(workflow)));
    github.world(|world| world.rename_repository(REPOSITORY, "acme/gadgets"));
    assert_eq!(below(&github, "actions/runs?per_page=1").await.status, 301);
}

#[tokio::test]
async fn what_is_refused_or_missing_is_told_legally() {
    let mut world = world(Sizes::default());
    world.add_repository("octavia/notes");
    world.make_person("octavia");
    world.publish_version("octavia", "container", "notes", "1");
    let github = judged!(world);
    let runs = format!("/repos/{REPOSITORY}/actions/runs");
    assert_eq!(below(&github, "commits?sha=0123456789").await.status, 404);
    assert_eq!(get(&github, "/orgs/octavia/packages?package_type=container").await, 404);
    assert_eq!(get(&github, "/users/acme/packages?package_type=container").await, 404);
    assert_eq!(get(&github, "/users/octavia/packages?package_type=container").await, 200);
    let of_person = "/users/octavia/packages/container/notes/versions";
    assert_eq!(ask(&github, of_person).await.body[0]["metadata"]["container"]["tags"][0], "1");
    assert_eq!(get(&github, "/users/octavia/packages/container/other/versions").await, 404);
    github.world(|world| {
        world.refuse_packages("octavia");
        let repository = world.repository_mut(REPOSITORY);
        repository.make_empty();
        repository.refuse(Feature::Actions);
        repository.refuse(Feature::PullRequests);
    });
    let refused = (403, "Resource not accessible by personal access token");
    for path in [&*runs, of_person, &format!("/repos/{REPOSITORY}/pulls")] {
        assert_eq!(ask(&github, path).await.message(), refused, "{path}");
    }
    assert_eq!(below(&github, "releases").await.status, 200);
    assert_eq!(
        below(&github, "commits?sha=main").await.message(),
        (409, "Git Repository is empty.")
    );
    github.world(|world| world.repository_mut(REPOSITORY).push_commit("the first"));
    assert_eq!(below(&github, "commits?sha=main").await.status, 200);
    // The referee itself objects to a request without a type.
    assert_eq!(get(&github, "/orgs/acme/packages").await, 422);
    assert!(has(&github.take(), "GET /orgs/acme/packages", 422));
}

/// A token as an App makes it for itself; nobody looks at its signature here.
fn of_app() -> String {
    let now = auth::start().timestamp();
    let parts = [json!({"alg": "RS256"}), json!({"iss": 7, "iat": now, "exp": now + 60})];
    let parts = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    format!("Bearer {}.{}.x", parts[0], parts[1])
}

#[tokio::test]
async fn an_app_is_told_of_runs_and_not_of_packages() {
    let mut world = world(Sizes::default());
    let mut app = App::new(7, None);
    app.install("acme");
    world.app = Some(app);
    let github = judged!(world);
    let path = "/app/installations/11/access_tokens";
    let minted = ask_as(&github, Method::POST, path, ("authorization", &of_app())).await;
    let token = format!("Bearer {}", minted.body["token"].as_str().unwrap());
    let asked =
        async |path: &str| ask_as(&github, Method::GET, path, ("authorization", &token)).await;
    assert_eq!(asked(&format!("/repos/{REPOSITORY}/actions/runs")).await.status, 200);
    let told = asked("/orgs/acme/packages?package_type=npm").await;
    assert_eq!(told.message(), (403, "Resource not accessible by integration"));
}
