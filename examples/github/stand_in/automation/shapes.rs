//! The JSON of what automation leaves behind, in the shape GitHub gives it. Pure.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::super::{
    issue::{Issue, PullRequest},
    repository::Repository,
    shapes::{HTML, labels, on_base, repository as whole_repository, time, user},
    world::World,
};
use super::{
    commits::Commit,
    packages::{Package, Version},
    pulls::{head_sha, merge_sha},
    releases::Release,
    workflows::{Job, Run, Workflow},
};

/// What is written as `%…` in a part of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name as one part of a path.
pub(super) fn segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

fn patched(mut object: Value, patch: &Map<String, Value>) -> Value {
    for (field, value) in patch {
        object[field] = value.clone();
    }
    object
}

/// A workflow.
pub(super) fn workflow(workflow: &Workflow, of: &Repository, base: &str) -> Value {
    let full_name = of.full_name();
    let object = json!({
        "id": workflow.id,
        "node_id": format!("W_kwDO{:012x}", workflow.id),
        "name": workflow.name,
        "path": workflow.path,
        "state": workflow.state,
        "created_at": time(workflow.created_at),
        "updated_at": time(workflow.updated_at),
        "url": format!("{base}/repos/{full_name}/actions/workflows/{}", workflow.id),
        "html_url": format!("{HTML}/{full_name}/blob/{}/{}", of.default_branch, workflow.path),
        "badge_url": format!("{HTML}/{full_name}/workflows/{}/badge.svg", segment(&workflow.name)),
    });
    patched(object, &workflow.patch)
}

/// Makes runs of one repository, whose own shape is in each of them.
pub(super) struct RunShape<'a> {
    of: &'a Repository,
    base: &'a str,
    repository: Value,
}

impl<'a> RunShape<'a> {
    pub(super) fn new(of: &'a Repository, base: &'a str) -> Self {
        Self { of, base, repository: whole_repository(of, base) }
    }

    /// A run.
    pub(super) fn run(&self, run: &Run) -> Value {
        let repository = format!("{}/repos/{}", self.base, self.of.full_name());
        let url = format!("{repository}/actions/runs/{}", run.id);
        let workflow = self.of.workflows().find(|one| one.id == run.workflow_id);
        let previous = (run.attempt > 1).then(|| format!("{url}/attempts/{}", run.attempt - 1));
        let mut object = json!({
            "id": run.id,
            "node_id": format!("WFR_kwLO{:012x}", run.id),
            "name": run.name,
            "display_title": run.title,
            "path": workflow.map_or(".github/workflows/gone.yml", |one| one.path.as_str()),
            "run_number": run.number,
            "run_attempt": run.attempt,
            "event": run.event,
            "status": run.status,
            "conclusion": run.conclusion,
            "workflow_id": run.workflow_id,
            "head_branch": run.head_branch,
            "head_sha": run.head_sha,
            "check_suite_id": run.id + 1,
            "check_suite_node_id": format!("CS_kwDO{:012x}", run.id),
            "pull_requests": [],
            "referenced_workflows": [],
            "actor": user(&run.actor, self.base),
            "triggering_actor": user(&run.triggering_actor, self.base),
            "created_at": time(run.created_at),
            "run_started_at": time(run.started_at),
            "updated_at": time(run.updated_at),
            "url": url,
            "html_url": format!("{HTML}/{}/actions/runs/{}", self.of.full_name(), run.id),
            "check_suite_url": format!("{repository}/check-suites/{}", run.id + 1),
            "workflow_url": format!("{repository}/actions/workflows/{}", run.workflow_id),
            "previous_attempt_url": previous,
            "head_commit": head_commit(run),
            "repository": self.repository,
            "head_repository": self.repository,
        });
        for rest in ["jobs", "logs", "artifacts", "cancel", "rerun"] {
            object[format!("{rest}_url")] = format!("{url}/{rest}").into();
        }
        patched(object, &run.patch)
    }
}

/// The commit of a run, in the short form that runs contain.
fn head_commit(run: &Run) -> Value {
    let email = format!("{}@example.com", run.actor.login);
    let person = json!({"name": run.actor.login, "email": email});
    json!({
        "id": run.head_sha,
        "tree_id": super::sha(&run.head_sha),
        "message": run.title,
        "timestamp": time(run.created_at),
        "author": person,
        "committer": person,
    })
}

/// A job of a run.
pub(super) fn job(job: &Job, run: &Run, full_name: &str, base: &str) -> Value {
    let repository = format!("{base}/repos/{full_name}");
    let object = json!({
        "id": job.id,
        "run_id": run.id,
        "run_url": format!("{repository}/actions/runs/{}", run.id),
        "run_attempt": job.attempt,
        "workflow_name": run.name,
        "head_branch": run.head_branch,
        "head_sha": run.head_sha,
        "node_id": format!("CR_kwDO{:012x}", job.id),
        "name": job.name,
        "status": job.status,
        "conclusion": job.conclusion,
        "created_at": time(job.created_at),
        "started_at": time(job.started_at),
        "completed_at": job.completed_at.map(time),
        "labels": ["ubuntu-latest"],
        "runner_id": 1,
        "runner_name": "GitHub Actions 1",
        "runner_group_id": 0,
        "runner_group_name": "GitHub Actions",
        "steps": [{
            "name": "Set up job",
            "status": job.status,
            "conclusion": job.conclusion,
            "number": 1,
            "started_at": time(job.started_at),
            "completed_at": job.completed_at.map(time),
        }],
        "url": format!("{repository}/actions/jobs/{}", job.id),
        "html_url": format!("{HTML}/{full_name}/actions/runs/{}/job/{}", run.id, job.id),
        "check_run_url": format!("{repository}/check-runs/{}", job.id),
    });
    patched(object, &job.patch)
}

/// A release.
pub(super) fn release(release: &Release, of: &Repository, base: &str) -> Value {
    let full_name = of.full_name();
    let url = format!("{base}/repos/{full_name}/releases/{}", release.id);
    let tag = segment(&release.tag);
    let object = json!({
        "id": release.id,
        "node_id": format!("RE_kwDO{:012x}", release.id),
        "tag_name": release.tag,
        "target_commitish": of.default_branch,
        "name": release.name,
        "body": release.body,
        "draft": release.draft,
        "prerelease": release.prerelease,
        "immutable": false,
        "author": user(&release.author, base),
        "created_at": time(release.created_at),
        "updated_at": time(release.published_at.unwrap_or(release.created_at)),
        "published_at": release.published_at.map(time),
        "assets": [],
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "html_url": format!("{HTML}/{full_name}/releases/tag/{tag}"),
        "tarball_url": format!("{base}/repos/{full_name}/tarball/{tag}"),
        "zipball_url": format!("{base}/repos/{full_name}/zipball/{tag}"),
        "url": url,
    });
    patched(object, &release.patch)
}

/// A commit.
pub(super) fn commit(commit: &Commit, full_name: &str, base: &str) -> Value {
    let repository = format!("{base}/repos/{full_name}");
    let html = format!("{HTML}/{full_name}/commit");
    let name = commit.author.as_ref().map_or("somebody", |one| one.login.as_str());
    let signed =
        |at| json!({"name": name, "email": format!("{name}@example.com"), "date": time(at)});
    let account = commit.author.as_ref().map(|one| user(one, base));
    let parent = |sha: &String| {
        json!({
            "sha": sha,
            "url": format!("{repository}/commits/{sha}"),
            "html_url": format!("{html}/{sha}"),
        })
    };
    let (sha, tree) = (&commit.sha, super::sha(&commit.sha));
    json!({
        "sha": sha,
        "node_id": format!("C_kwDO{}", &sha[..16]),
        "commit": {
            "author": signed(commit.authored_at),
            "committer": signed(commit.committed_at),
            "message": commit.message,
            "tree": {"sha": tree, "url": format!("{repository}/git/trees/{tree}")},
            "url": format!("{repository}/git/commits/{sha}"),
            "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null,
                "verified_at": null,
            },
        },
        "url": format!("{repository}/commits/{sha}"),
        "html_url": format!("{html}/{sha}"),
        "comments_url": format!("{repository}/commits/{sha}/comments"),
        "author": account,
        "committer": account,
        "parents": commit.parent.iter().map(parent).collect::<Vec<_>>(),
    })
}

/// Makes pull requests of one repository, whose own shape is in each of them.
pub(super) struct PullShape<'a> {
    of: &'a Repository,
    base: &'a str,
    repository: Value,
}

impl<'a> PullShape<'a> {
    pub(super) fn new(of: &'a Repository, base: &'a str) -> Self {
        Self { of, base, repository: whole_repository(of, base) }
    }

    /// A pull request, as lists have it.
    pub(super) fn pull(&self, issue: &Issue, pull: &PullRequest) -> Value {
        let recorded = |name: &str| {
            let value = issue.recorded.as_ref().and_then(|recorded| recorded.get(name));
            value.map(|value| on_base(name, value, self.base))
        };
        let users = |all: &[_]| all.iter().map(|one| user(one, self.base)).collect::<Value>();
        let assignees = recorded("assignees").unwrap_or_else(|| users(&issue.assignees));
        let association = recorded("author_association").filter(Value::is_string);
        let mut object = json!({
            // Its id as an issue is another.
            "id": issue.id + 3_000_000_000_000_000,
            "node_id": format!("PR_kwDO{:016x}", issue.id),
            "number": issue.number,
            "state": issue.state.as_str(),
            "locked": issue.locked,
            "title": issue.title,
            "user": recorded("user").unwrap_or_else(|| user(&issue.user, self.base)),
            "body": issue.body,
            "labels": labels(&issue.labels, self.base, &self.of.full_name()),
            "milestone": recorded("milestone"),
            "active_lock_reason": null,
            "created_at": time(issue.created_at),
            "updated_at": time(issue.updated_at),
            "closed_at": issue.closed_at.map(time),
            "merged_at": pull.merged_at.map(time),
            "merge_commit_sha": merge_sha(issue, pull),
            "assignee": assignees.get(0),
            "assignees": assignees,
            "requested_reviewers": users(&pull.requested_reviewers),
            "requested_teams": [],
            "draft": pull.draft,
            "author_association": association.unwrap_or_else(|| "CONTRIBUTOR".into()),
            "auto_merge": null,
        });
        self.place(&mut object, issue, pull);
        patched(object, &pull.patch)
    }

    /// Writes where the pull request is, and between what.
    fn place(&self, object: &mut Value, issue: &Issue, pull: &PullRequest) {
        let (full_name, number) = (self.of.full_name(), issue.number);
        let repository = format!("{}/repos/{full_name}", self.base);
        let (url, of_issue) =
            (format!("{repository}/pulls/{number}"), format!("{repository}/issues/{number}"));
        let html = format!("{HTML}/{full_name}/pull/{number}");
        let head_sha = head_sha(issue, pull);
        let urls = [
            ("url", "self", url.clone()),
            ("html_url", "html", html.clone()),
            ("issue_url", "issue", of_issue.clone()),
            ("comments_url", "comments", format!("{of_issue}/comments")),
            ("review_comments_url", "review_comments", format!("{url}/comments")),
            (
                "review_comment_url",
                "review_comment",
                format!("{repository}/pulls/comments{{/number}}"),
            ),
            ("commits_url", "commits", format!("{url}/commits")),
            ("statuses_url", "statuses", format!("{repository}/statuses/{head_sha}")),
        ];
        let mut links = Map::new();
        for (field, link, url) in urls {
            links.insert(link.to_owned(), json!({"href": url}));
            object[field] = url.into();
        }
        object["_links"] = links.into();
        object["diff_url"] = format!("{html}.diff").into();
        object["patch_url"] = format!("{html}.patch").into();
        let side = |branch: &str, sha: &str, repo: Value| {
            json!({
                "label": format!("{}:{branch}", self.of.owner()),
                "ref": branch,
                "sha": sha,
                "user": user(self.of.account(), self.base),
                "repo": repo,
            })
        };
        let fork = if pull.fork_is_gone { Value::Null } else { self.repository.clone() };
        let base_sha = super::sha(&format!("base of {}", issue.id));
        object["head"] = side(&format!("change-{number}"), &head_sha, fork);
        object["base"] = side(&self.of.default_branch, &base_sha, self.repository.clone());
    }
}

/// A package.
pub(super) fn package(package: &Package, world: &World) -> Value {
    let (url, html) = package_urls(package, world);
    let base = world.base_url();
    let of = package.repository.and_then(|id| world.by_id(id));
    let mut object = json!({
        "id": package.id,
        "name": package.name,
        "package_type": package.kind,
        "owner": user(&world.account(&package.owner), base),
        "version_count": package.versions.len(),
        "visibility": package.visibility,
        "url": url,
        "html_url": html,
        "created_at": time(package.created_at),
        "updated_at": time(package.updated_at),
    });
    if let Some(of) = of {
        object["repository"] = whole_repository(of, base);
    }
    patched(object, &package.patch)
}

/// A version of a package.
pub(super) fn version(version: &Version, package: &Package, world: &World) -> Value {
    let (url, html) = package_urls(package, world);
    let mut metadata = json!({"package_type": package.kind});
    match package.kind.as_str() {
        "container" => metadata["container"] = json!({"tags": version.tags}),
        "docker" => metadata["docker"] = json!({"tag": version.tags}),
        _ => {}
    }
    json!({
        "id": version.id,
        "name": version.name,
        "url": format!("{url}/versions/{}", version.id),
        "package_html_url": html,
        "html_url": format!("{html}/{}", version.id),
        "created_at": time(version.created_at),
        "updated_at": time(version.created_at),
        "metadata": metadata,
    })
}

fn package_urls(package: &Package, world: &World) -> (String, String) {
    let kind = if world.is_person(&package.owner) { "users" } else { "orgs" };
    let name = segment(&package.name);
    let (owner, base) = (&package.owner, world.base_url());
    (
        format!("{base}/{kind}/{owner}/packages/{}/{name}", package.kind),
        format!("{HTML}/{kind}/{owner}/packages/{}/package/{name}", package.kind),
    )
}
