//! Finds the answer to a request in the world.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    answer::{Answer, Ask},
    automation,
    issue::{Label, User},
    issue_list,
    pages::Page,
    repository::{Gone, Repository},
    shapes,
    world::{World, owner_id},
};

/// Answers `ask`, and does what it says.
pub(super) fn answer(world: &mut World, ask: &Ask) -> Answer {
    let segments = ask.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // An answer to HEAD is one to GET whose body is not sent.
    let method = match ask.method.as_str() {
        "HEAD" => "GET",
        other => other,
    };
    match (method, segments.as_slice()) {
        ("GET", []) => root(world),
        ("GET", ["user"]) => {
            Answer::ok(&shapes::profile(&User::named("octavia"), world.base_url()))
        }
        ("GET", ["rate_limit"]) => rate_limit(world),
        ("GET", ["users", login, "repos"]) => owned(world, ask, owner_id(login), true),
        ("GET", ["user", id, "repos"]) => owned(world, ask, number(id), true),
        ("GET", ["orgs", login, "repos"]) if world.is_person(login) => Answer::not_found(),
        ("GET", ["orgs", login, "repos"]) => owned(world, ask, owner_id(login), false),
        ("GET", ["organizations", id, "repos"]) => owned(world, ask, number(id), false),
        ("GET", ["installation", "repositories"]) => installed(world, ask),
        ("GET", ["orgs" | "users" | "organizations" | "user", _, "packages", ..]) => {
            automation::packages(world, &segments, ask)
        }
        (_, ["repositories", id, rest @ ..]) => {
            let id = number(id);
            if world.by_id(id).is_some() {
                in_repository(world, id, method, rest, ask)
            } else {
                Answer::not_found()
            }
        }
        (_, ["repos", owner, name, rest @ ..]) => {
            let full_name = format!("{owner}/{name}");
            if let Some(id) = world.find(&full_name).map(Repository::id) {
                in_repository(world, id, method, rest, ask)
            } else if let Some(moved) = world.find_former(&full_name) {
                Answer::moved(ask, place(world, moved.id(), ask))
            } else {
                Answer::not_found()
            }
        }
        _ => Answer::not_found(),
    }
}

/// Answers what is asked of one repository, in either form of its path.
fn in_repository(world: &mut World, id: u64, method: &str, rest: &[&str], ask: &Ask) -> Answer {
    let base = world.base_url().to_owned();
    let Some(repository) = world.by_id(id) else {
        return Answer::not_found();
    };
    match (method, rest) {
        ("GET", []) => Answer::ok(&shapes::repository(repository, &base)),
        ("GET", ["issues"]) => issue_list::answer(world, repository, ask),
        ("GET", ["issues", n]) => issue(repository, &base, number(n), ask),
        (_, ["issues", n, "labels", name @ ..]) => {
            let archived = repository.archived && method != "GET";
            match world.by_id_mut(id) {
                _ if archived => {
                    let message = "Repository was archived so is read-only.";
                    Answer::error(StatusCode::FORBIDDEN, message)
                }
                Some(repository) => labels(repository, &base, number(n), method, name, ask),
                None => Answer::not_found(),
            }
        }
        ("GET", ["actions" | "releases" | "pulls" | "commits", ..]) => {
            automation::answer(world, repository, rest, ask)
        }
        _ => Answer::not_found(),
    }
}

fn issue(repository: &Repository, base: &str, number: u64, ask: &Ask) -> Answer {
    if !repository.has_issues {
        return Answer::error(StatusCode::GONE, "Issues are disabled for this repo");
    }
    if let Some(stored) = repository.stored_issue(number) {
        return Answer::raw(StatusCode::OK, stored.json(base, &repository.full_name()).clone());
    }
    match repository.gone(number) {
        Some(Gone::Deleted) => Answer::error(StatusCode::GONE, "This issue was deleted"),
        Some(Gone::Transferred { repository, number }) => {
            Answer::moved(ask, format!("{base}/repositories/{repository}/issues/{number}"))
        }
        None => Answer::not_found(),
    }
}

/// Reads, adds or removes the labels of an issue, and answers with those it has then.
fn labels(
    repository: &mut Repository,
    base: &str,
    number: u64,
    method: &str,
    name: &[&str],
    ask: &Ask,
) -> Answer {
    let Some(issue) = repository.issue(number) else {
        return self::issue(repository, base, number, ask);
    };
    match (method, name) {
        ("GET", []) => {}
        ("POST", []) => {
            let Some(names) = asked_labels(&ask.body) else {
                return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
            };
            let new: Vec<String> = names.into_iter().filter(|one| !issue.has_label(one)).collect();
            if !new.is_empty() {
                let add = new.iter().map(|name| Label::named(name));
                repository.edit_issue(number, |issue| issue.labels.extend(add));
            }
        }
        ("DELETE", [name]) => {
            if !issue.has_label(name) {
                return Answer::error(StatusCode::NOT_FOUND, "Label does not exist");
            }
            repository.edit_issue(number, |issue| {
                issue.labels.retain(|label| !label.name.eq_ignore_ascii_case(name));
            });
        }
        _ => return Answer::not_found(),
    }
    let full_name = repository.full_name();
    let labels = repository.issue(number).map_or(&[][..], |issue| &issue.labels);
    Answer::ok(&shapes::labels(labels, base, &full_name))
}

/// The labels that a body names: a list, or an object with a list.
fn asked_labels(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let names = body.get("labels").unwrap_or(&body).as_array()?;
    names.iter().map(|name| name.as_str().map(str::to_owned)).collect()
}

fn root(world: &World) -> Answer {
    let base = world.base_url();
    Answer::ok(&json!({
        "current_user_url": format!("{base}/user"),
        "rate_limit_url": format!("{base}/rate_limit"),
        "repository_url": format!("{base}/repos/{{owner}}/{{repo}}"),
        "organization_repositories_url": format!("{base}/orgs/{{org}}/repos{{?type,page,per_page,sort}}"),
        "issues_url": format!("{base}/issues"),
    }))
}

fn rate_limit(world: &mut World) -> Answer {
    let now = world.now();
    let resets_at = world.quota.roll(now);
    Answer::ok(&shapes::rate_limit(&world.quota, resets_at))
}

/// The repositories of an owner; the list of a user tells only of the public ones.
fn owned(world: &World, ask: &Ask, owner_id: u64, as_user: bool) -> Answer {
    let all: Vec<&Repository> =
        world.repositories().filter(|one| one.owner_id() == owner_id).collect();
    if all.is_empty() {
        return Answer::not_found();
    }
    let listed: Vec<&Repository> =
        all.into_iter().filter(|one| !(as_user && one.private)).collect();
    let base = world.base_url();
    let kind = if as_user { "user" } else { "organizations" };
    let url = format!("{base}/{kind}/{owner_id}/repos");
    let page = Page::asked(ask);
    let shown = page.of(&listed).iter().map(|one| shapes::repository(one, base)).collect();
    Answer::ok(&Value::Array(shown)).with_link(page.links(&url, ask, listed.len()))
}

/// The repositories that an App may see: all.
fn installed(world: &World, ask: &Ask) -> Answer {
    let base = world.base_url();
    let all: Vec<&Repository> = world.repositories().collect();
    let page = Page::asked(ask);
    let shown: Vec<Value> = page.of(&all).iter().map(|one| shapes::repository(one, base)).collect();
    let body = json!({
        "total_count": all.len(),
        "repository_selection": "all",
        "repositories": shown,
    });
    let url = format!("{base}/installation/repositories");
    Answer::ok(&body).with_link(page.links(&url, ask, all.len()))
}

/// What was asked, under the repository's id.
fn place(world: &World, id: u64, ask: &Ask) -> String {
    let path = ask.path.trim_start_matches('/');
    let below = path.splitn(4, '/').nth(3).map_or_else(String::new, |rest| format!("/{rest}"));
    format!("{}/repositories/{id}{below}{}", world.base_url(), ask.raw_query)
}

/// The number in a path; nothing has the number 0.
fn number(segment: &str) -> u64 {
    segment.parse().unwrap_or_default()
}
