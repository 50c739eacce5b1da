//! From GitHub's objects to rows. Pure.

use chrono::{DateTime, Utc};

use super::Rules;
use super::rules::sorted;
use crate::github::BadItem;
use crate::github::model::{Issue, Label, Repository, User};
use crate::store::{Assignee, IssueRow, PullRow, RepositoryRow, SetAside, key_of_id};

/// The row of a tracked repository.
pub(super) fn repository(it: Repository) -> RepositoryRow {
    let owner = it.owner.as_ref().map(|owner| owner.login.clone());
    let from_name = || it.full_name.split('/').next().unwrap_or_default().to_owned();
    RepositoryRow {
        id: it.id,
        node_id: it.node_id,
        owner: owner.unwrap_or_else(from_name),
        owner_id: it.owner.and_then(|owner| owner.id),
        name: it.name,
        full_name: it.full_name,
        html_url: it.html_url,
        description: it.description,
        default_branch: it.default_branch,
        language: it.language,
        visibility: it.visibility,
        private: it.private,
        fork: it.fork,
        archived: it.archived,
        disabled: it.disabled,
        has_issues: it.has_issues,
        topics: it.topics,
        license: it.license.and_then(|license| license.spdx_id.or(license.name)),
        stars: it.stargazers_count,
        forks: it.forks_count,
        open_issues_count: it.open_issues_count,
        created_at: it.created_at,
        updated_at: it.updated_at,
        pushed_at: it.pushed_at,
        tracked: true,
    }
}

/// The row of an issue, with what the rules make of its labels and of those that are stored.
pub(super) fn issue(it: Issue, repository_id: i64, rules: &Rules, stored: &[String]) -> IssueRow {
    let closed = it.state == "closed";
    let github_labels = label_names(it.labels);
    let labels = rules.labels(&github_labels, closed, stored);
    let (author, author_id, author_type) = author(it.user);
    IssueRow {
        repository_id,
        number: it.number,
        id: it.id,
        node_id: it.node_id,
        title: it.title,
        body: it.body,
        status: rules.status(&labels, closed),
        state: it.state,
        state_reason: it.state_reason,
        type_: it.type_.and_then(|kind| kind.name),
        author,
        author_id,
        author_type,
        author_association: it.author_association,
        assignees: assignees(it.assignees),
        labels,
        github_labels,
        milestone_number: it.milestone.as_ref().and_then(|milestone| milestone.number),
        milestone: it.milestone.and_then(|milestone| milestone.title),
        comments: it.comments,
        locked: it.locked,
        closed_by: it.closed_by.map(|user| user.login),
        html_url: it.html_url,
        created_at: it.created_at,
        updated_at: it.updated_at,
        closed_at: it.closed_at,
        removed_at: None,
        removed_reason: None,
        removed_to: None,
    }
}

/// The row of a pull request, as far as a list of issues tells it.
pub(super) fn pull_from_issue(it: Issue, repository_id: i64) -> PullRow {
    let merged_at: Option<DateTime<Utc>> = it.pull_request.and_then(|part| part.merged_at);
    let (author, author_id, author_type) = author(it.user);
    PullRow {
        repository_id,
        number: it.number,
        issue_id: it.id,
        source: "issues",
        title: it.title,
        body: it.body,
        state: it.state,
        draft: it.draft,
        merged: Some(merged_at.is_some()),
        author,
        author_id,
        author_type,
        author_association: it.author_association,
        assignees: assignees(it.assignees),
        labels: label_names(it.labels),
        milestone: it.milestone.and_then(|milestone| milestone.title),
        comments: it.comments,
        html_url: it.html_url,
        created_at: it.created_at,
        updated_at: it.updated_at,
        closed_at: it.closed_at,
        merged_at,
        ..PullRow::default()
    }
}

/// An item that is set aside, under its number, or under what else it is known by.
impl From<BadItem> for SetAside {
    fn from(bad: BadItem) -> Self {
        let number = bad.number.map(|number| number.to_string());
        let item_key = number.or_else(|| bad.id.map(key_of_id));
        Self { item_key, error: bad.error, raw: bad.raw }
    }
}

pub(super) fn author(user: Option<User>) -> (Option<String>, Option<i64>, Option<String>) {
    match user {
        Some(user) => (Some(user.login), user.id, user.type_),
        None => (None, None, None),
    }
}

pub(super) fn assignees(users: Option<Vec<User>>) -> Vec<Assignee> {
    let users = users.unwrap_or_default().into_iter();
    users.map(|user| Assignee { id: user.id, login: user.login }).collect()
}

/// Sorted, because GitHub's order means nothing and would make rows look changed.
pub(super) fn label_names(labels: Option<Vec<Label>>) -> Vec<String> {
    let labels = labels.unwrap_or_default();
    sorted(labels.iter().filter_map(Label::name).map(str::to_owned).collect())
}
