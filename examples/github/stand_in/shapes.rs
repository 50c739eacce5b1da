//! The JSON of each object, in the shape GitHub gives it. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::{
    issue::{Issue, Label, State, User},
    repository::Repository,
    world::Quota,
};

pub(super) const HTML: &str = "https://github.com";

/// When those accounts and Apps were made that nobody asks.
const BEGINNING: &str = "2020-01-01T00:00:00Z";

/// The URLs of a user, as the name of the field and what follows the user's own URL.
const USER_URLS: [(&str, &str); 9] = [
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

/// The URLs of a repository, as the name of the field and what follows the repository's own URL.
const REPOSITORY_URLS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

/// A time as GitHub writes it.
pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A user, in the short form that other objects contain.
pub(super) fn user(user: &User, base: &str) -> Value {
    let url = format!("{base}/users/{}", user.login);
    let mut object = json!({
        "login": user.login,
        "id": user.id,
        "node_id": format!("U_kgDO{:08x}", user.id),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", user.id),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{HTML}/{}", user.login),
        "type": user.kind,
        "user_view_type": "public",
        "site_admin": false,
    });
    for (field, rest) in USER_URLS {
        object[field] = format!("{url}{rest}").into();
    }
    object
}

/// A user, in the long form in which users are told about themselves.
pub(super) fn profile(of: &User, base: &str) -> Value {
    let mut object = user(of, base);
    for field in ["name", "company", "blog", "location", "email", "hireable", "bio"] {
        object[field] = Value::Null;
    }
    for field in ["public_repos", "public_gists", "followers", "following"] {
        object[field] = 0.into();
    }
    for field in ["created_at", "updated_at"] {
        object[field] = BEGINNING.into();
    }
    object
}

/// The labels of an issue.
pub(super) fn labels(labels: &[Label], base: &str, full_name: &str) -> Value {
    labels.iter().map(|one| label(one, base, full_name)).collect()
}

fn label(label: &Label, base: &str, full_name: &str) -> Value {
    let name =
        percent_encoding::utf8_percent_encode(&label.name, percent_encoding::NON_ALPHANUMERIC);
    json!({
        "id": label.id,
        "node_id": format!("LA_kwDO{:012x}", label.id),
        "url": format!("{base}/repos/{full_name}/labels/{name}"),
        "name": label.name,
        "color": label.color,
        "default": false,
        "description": label.description,
    })
}

/// An issue of the repository of this name.
pub(super) fn issue(issue: &Issue, base: &str, full_name: &str) -> Value {
    let mut object = match &issue.recorded {
        Some(recorded) => recorded.iter().map(|(k, v)| (k.clone(), on_base(k, v, base))).collect(),
        None => invented(issue, base),
    };
    place(&mut object, issue, base, full_name);
    content(&mut object, issue, base, full_name);
    object.extend(issue.patch.clone());
    Value::Object(object)
}

/// The fields that a recorded issue brings along.
fn invented(issue: &Issue, base: &str) -> Map<String, Value> {
    let object = json!({
        "node_id": format!("{}_kwDO{:016x}", if issue.is_pull_request() { "PR" } else { "I" }, issue.id),
        "user": user(&issue.user, base),
        "milestone": null,
        "author_association": "CONTRIBUTOR",
        "active_lock_reason": null,
        "performed_via_github_app": null,
        "type": null,
        "closed_by": null,
        "sub_issues_summary": {"total": 0, "completed": 0, "percent_completed": 0},
        "issue_dependencies_summary":
            {"blocked_by": 0, "total_blocked_by": 0, "blocking": 0, "total_blocking": 0},
        "reactions": {
            "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0, "confused": 0,
            "heart": 0, "rocket": 0, "eyes": 0,
        },
    });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// Writes where the issue is.
fn place(object: &mut Map<String, Value>, issue: &Issue, base: &str, full_name: &str) {
    let number = issue.number;
    let repository = format!("{base}/repos/{full_name}");
    let url = format!("{repository}/issues/{number}");
    let page = if issue.is_pull_request() { "pull" } else { "issues" };
    let html_url = format!("{HTML}/{full_name}/{page}/{number}");
    for (field, rest) in [
        ("labels_url", "/labels{/name}"),
        ("comments_url", "/comments"),
        ("events_url", "/events"),
        ("timeline_url", "/timeline"),
    ] {
        object.insert(field.to_owned(), format!("{url}{rest}").into());
    }
    if let Some(reactions) = object.get_mut("reactions").and_then(Value::as_object_mut) {
        reactions.insert("url".to_owned(), format!("{url}/reactions").into());
    }
    if let Some(pull_request) = &issue.pull_request {
        let block = json!({
            "url": format!("{repository}/pulls/{number}"),
            "html_url": html_url,
            "diff_url": format!("{html_url}.diff"),
            "patch_url": format!("{html_url}.patch"),
            "merged_at": pull_request.merged_at.map(time),
        });
        object.insert("pull_request".to_owned(), block);
        object.insert("draft".to_owned(), pull_request.draft.into());
    }
    object.insert("url".to_owned(), url.into());
    object.insert("repository_url".to_owned(), repository.into());
    object.insert("html_url".to_owned(), html_url.into());
}

/// Writes what the issue says.
fn content(object: &mut Map<String, Value>, issue: &Issue, base: &str, full_name: &str) {
    let fields = [
        ("id", issue.id.into()),
        ("number", issue.number.into()),
        ("title", issue.title.as_str().into()),
        ("body", issue.body.as_deref().into()),
        ("state", issue.state.as_str().into()),
        ("state_reason", issue.state_reason.as_deref().into()),
        ("locked", issue.locked.into()),
        ("comments", issue.comments.into()),
        ("created_at", time(issue.created_at).into()),
        ("updated_at", time(issue.updated_at).into()),
        ("closed_at", issue.closed_at.map(time).into()),
    ];
    object.extend(fields.map(|(field, value)| (field.to_owned(), value)));
    if issue.recorded.is_none() {
        let assignees: Vec<Value> = issue.assignees.iter().map(|one| user(one, base)).collect();
        object.insert("assignee".to_owned(), assignees.first().cloned().into());
        object.insert("assignees".to_owned(), assignees.into());
    }
    // Recorded labels have fields that ours lack, so they stay for as long as they are right.
    let recorded = object.get("labels").and_then(Value::as_array).is_some_and(|labels| {
        labels
            .iter()
            .map(|label| label["name"].as_str())
            .eq(issue.labels.iter().map(|label| Some(label.name.as_str())))
    });
    if !recorded {
        object.insert("labels".to_owned(), labels(&issue.labels, base, full_name));
    }
}

/// A recorded value whose URLs begin with our base.
pub(super) fn on_base(key: &str, value: &Value, base: &str) -> Value {
    match value {
        Value::String(text) if key == "url" || key.ends_with("_url") => {
            match text.strip_prefix("https://api.github.com") {
                Some(rest) => format!("{base}{rest}").into(),
                None => value.clone(),
            }
        }
        Value::Object(object) => {
            object.iter().map(|(k, v)| (k.clone(), on_base(k, v, base))).collect()
        }
        Value::Array(items) => items.iter().map(|item| on_base("", item, base)).collect(),
        _ => value.clone(),
    }
}

/// A repository.
pub(super) fn repository(repository: &Repository, base: &str) -> Value {
    let full_name = repository.full_name();
    let url = format!("{base}/repos/{full_name}");
    let html_url = format!("{HTML}/{full_name}");
    let mut object = unremarkable();
    for (field, value) in about(repository) {
        object[field] = value;
    }
    for (field, value) in [
        ("id", repository.id().into()),
        ("node_id", format!("R_kgDO{:08x}", repository.id()).into()),
        ("name", repository.name().into()),
        ("full_name", full_name.as_str().into()),
        ("owner", user(repository.account(), base)),
        ("html_url", html_url.as_str().into()),
        ("git_url", format!("git://github.com/{full_name}.git").into()),
        ("ssh_url", format!("git@github.com:{full_name}.git").into()),
        ("clone_url", format!("{html_url}.git").into()),
        ("svn_url", html_url.as_str().into()),
    ] {
        object[field] = value;
    }
    for (field, rest) in REPOSITORY_URLS {
        object[field] = format!("{url}{rest}").into();
    }
    object
}

/// What a repository says beside where it is.
fn about(repository: &Repository) -> [(&'static str, Value); 12] {
    let open = repository.issues().filter(|issue| issue.state == State::Open).count();
    let visibility = if repository.private { "private" } else { "public" };
    [
        ("description", repository.description.as_deref().into()),
        ("private", repository.private.into()),
        ("visibility", visibility.into()),
        ("fork", repository.fork.into()),
        ("archived", repository.archived.into()),
        ("default_branch", repository.default_branch.as_str().into()),
        ("has_issues", repository.has_issues.into()),
        ("open_issues_count", open.into()),
        ("open_issues", open.into()),
        ("created_at", time(repository.created_at).into()),
        ("updated_at", time(repository.updated_at).into()),
        ("pushed_at", time(repository.pushed_at).into()),
    ]
}

/// What all our repositories say, since nobody asks for it.
fn unremarkable() -> Value {
    json!({
        "homepage": null, "size": 1024, "language": "Rust", "license": null, "mirror_url": null,
        "stargazers_count": 0, "watchers_count": 0, "watchers": 0,
        "forks_count": 0, "forks": 0, "network_count": 0, "subscribers_count": 1,
        "has_projects": true, "has_downloads": true, "has_wiki": true,
        "has_pages": false, "has_discussions": false, "disabled": false,
        "allow_forking": true, "is_template": false, "web_commit_signoff_required": false,
        "topics": [], "temp_clone_token": "", "custom_properties": {},
        "permissions":
            {"admin": false, "maintain": false, "push": false, "triage": false, "pull": true},
    })
}

/// A GitHub App, as it is told about itself.
pub(super) fn app(id: u64, base: &str) -> Value {
    json!({
        "id": id,
        "slug": "singletrack",
        "node_id": format!("A_kgDO{id:08x}"),
        "owner": user(&User::named("octavia"), base),
        "name": "Singletrack",
        "description": null,
        "external_url": "https://example.com",
        "html_url": format!("{HTML}/apps/singletrack"),
        "created_at": BEGINNING,
        "updated_at": BEGINNING,
        "permissions": {"issues": "read", "metadata": "read"},
        "events": [],
    })
}

/// Where a GitHub App is installed.
pub(super) fn installation(id: u64, app: u64, account: &User, base: &str) -> Value {
    json!({
        "id": id,
        "app_id": app,
        "app_slug": "singletrack",
        "account": user(account, base),
        "target_id": account.id,
        "target_type": account.kind,
        "repository_selection": "all",
        "access_tokens_url": format!("{base}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{base}/installation/repositories"),
        "html_url": format!("{HTML}/settings/installations/{id}"),
        "permissions": {"issues": "read", "metadata": "read"},
        "events": [],
        "created_at": BEGINNING,
        "updated_at": BEGINNING,
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": null,
        "suspended_at": null,
    })
}

/// The quota, as `GET /rate_limit` tells it.
pub(super) fn rate_limit(quota: &Quota, resets_at: DateTime<Utc>) -> Value {
    let bucket = |limit: u64, used: u64| {
        json!({
            "limit": limit,
            "used": used,
            "remaining": limit.saturating_sub(used),
            "reset": resets_at.timestamp(),
        })
    };
    let core = bucket(quota.limit, quota.used);
    json!({
        "resources": {"core": core, "search": bucket(30, 0), "graphql": bucket(5_000, 0)},
        "rate": core,
    })
}
