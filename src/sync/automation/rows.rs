//! From GitHub's objects to rows. Pure.

use crate::github::model::{
    Commit, Job, Package, PullRequest, Release, User, Workflow, WorkflowRun,
};
use crate::store::{
    CommitRow, PackageRow, PullRow, ReleaseRow, WorkflowJobRow, WorkflowRow, WorkflowRunRow,
};
use crate::sync::rows::{assignees, author, label_names};

pub(super) fn workflow(it: Workflow, repository_id: i64) -> WorkflowRow {
    WorkflowRow {
        id: it.id,
        repository_id,
        name: it.name,
        path: Some(it.path),
        state: it.state,
        created_at: it.created_at,
        updated_at: it.updated_at,
    }
}

pub(super) fn workflow_run(it: WorkflowRun, repository_id: i64) -> WorkflowRunRow {
    let (actor, actor_id, _) = author(it.actor);
    WorkflowRunRow {
        id: it.id,
        repository_id,
        workflow_id: it.workflow_id,
        name: it.name,
        display_title: it.display_title,
        run_number: it.run_number,
        run_attempt: it.run_attempt,
        event: it.event,
        status: it.status,
        conclusion: it.conclusion,
        head_branch: it.head_branch,
        head_sha: it.head_sha,
        actor,
        actor_id,
        triggering_actor: it.triggering_actor.map(|user| user.login),
        html_url: it.html_url,
        created_at: it.created_at,
        run_started_at: it.run_started_at,
        updated_at: it.updated_at,
    }
}

pub(super) fn workflow_job(it: Job, repository_id: i64) -> WorkflowJobRow {
    WorkflowJobRow {
        id: it.id,
        repository_id,
        run_id: it.run_id,
        run_attempt: it.run_attempt,
        name: it.name,
        status: it.status,
        conclusion: it.conclusion,
        runner_name: it.runner_name,
        labels: it.labels,
        html_url: it.html_url,
        created_at: it.created_at,
        started_at: it.started_at,
        completed_at: it.completed_at,
    }
}

pub(super) fn release(it: Release, repository_id: i64) -> ReleaseRow {
    ReleaseRow {
        id: it.id,
        repository_id,
        tag_name: Some(it.tag_name),
        name: it.name,
        body: it.body,
        draft: it.draft,
        prerelease: it.prerelease,
        target_commitish: it.target_commitish,
        author: it.author.map(|user| user.login),
        html_url: it.html_url,
        created_at: it.created_at,
        published_at: it.published_at,
    }
}

/// A pull request as `/pulls` tells it.
pub(super) fn pull(it: PullRequest, repository_id: i64) -> PullRow {
    let (author, author_id, author_type) = author(it.user);
    let (head_ref, head_sha, head_repository) = match it.head {
        Some(head) => (head.ref_, head.sha, head.repo.and_then(|repo| repo.full_name)),
        None => (None, None, None),
    };
    let (base_ref, base_sha) = it.base.map_or((None, None), |base| (base.ref_, base.sha));
    PullRow {
        repository_id,
        number: it.number,
        id: it.id,
        node_id: it.node_id,
        source: "pulls",
        title: it.title,
        body: it.body,
        state: it.state,
        draft: it.draft,
        // The list does not say it in another way.
        merged: Some(it.merged_at.is_some()),
        author,
        author_id,
        author_type,
        author_association: it.author_association,
        assignees: assignees(it.assignees),
        requested_reviewers: Some(assignees(it.requested_reviewers)),
        labels: label_names(it.labels),
        milestone: it.milestone.and_then(|milestone| milestone.title),
        merge_commit_sha: it.merge_commit_sha,
        head_ref,
        head_sha,
        head_repository,
        base_ref,
        base_sha,
        html_url: it.html_url,
        created_at: it.created_at,
        updated_at: it.updated_at,
        closed_at: it.closed_at,
        merged_at: it.merged_at,
        ..PullRow::default()
    }
}

pub(super) fn package(it: Package, owner: &str, latest_tag: Option<String>) -> PackageRow {
    PackageRow {
        id: it.id,
        owner: owner.to_owned(),
        repository_id: it.repository.and_then(|repository| repository.id),
        package_type: Some(it.package_type),
        name: Some(it.name),
        visibility: it.visibility,
        version_count: it.version_count,
        latest_tag,
        html_url: it.html_url,
        created_at: it.created_at,
        updated_at: it.updated_at,
    }
}

/// A commit, with the login of whom GitHub knows, else the name that git has.
pub(super) fn commit(it: Commit, repository_id: i64) -> CommitRow {
    let (message, by, through) = match it.commit {
        Some(part) => (part.message, part.author, part.committer),
        None => (None, None, None),
    };
    let login = |user: Option<User>| user.map(|user| user.login);
    let name_of_committer = through.as_ref().and_then(|signature| signature.name.clone());
    let committed_at = through.and_then(|signature| signature.date);
    let (name, author_email, authored_at) = by
        .map_or((None, None, None), |signature| (signature.name, signature.email, signature.date));
    CommitRow {
        repository_id,
        sha: it.sha,
        message,
        author: login(it.author).or(name),
        author_email,
        committer: login(it.committer).or(name_of_committer),
        authored_at,
        committed_at,
        html_url: it.html_url,
    }
}
