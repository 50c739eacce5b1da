//! The columns of each public table and view, and what is in them. Pure.

/// The names of the columns, apart by spaces.
pub(super) const COLUMNS: [(&str, &str); 23] = [
    (
        "repositories",
        "id node_id owner owner_id name full_name html_url description default_branch language \
         visibility private fork archived disabled has_issues topics license stars forks \
         open_issues_count created_at updated_at pushed_at tracked latest_commit_sha sync_error \
         sync_error_since suspect_since stored_at stored_by",
    ),
    (
        "issues",
        "repository_id number id node_id title body state state_reason type status author \
         author_id author_type author_association assignees labels github_labels milestone \
         milestone_number comments locked closed_by html_url created_at updated_at closed_at \
         removed_at removed_reason removed_to stored_at stored_by",
    ),
    (
        "pull_requests",
        "repository_id number id issue_id node_id source title body state draft merged author \
         author_id author_type author_association assignees requested_reviewers labels \
         milestone comments merge_commit_sha head_ref head_sha head_repository base_ref \
         base_sha html_url created_at updated_at closed_at merged_at stored_at stored_by",
    ),
    (
        "workflows",
        "id repository_id name path state created_at updated_at stored_at stored_by removed_at",
    ),
    (
        "workflow_runs",
        "id repository_id workflow_id name display_title run_number run_attempt event status \
         conclusion head_branch head_sha actor actor_id triggering_actor html_url created_at \
         run_started_at updated_at stored_at stored_by removed_at",
    ),
    (
        "workflow_jobs",
        "id repository_id run_id run_attempt name status conclusion runner_name labels html_url \
         created_at started_at completed_at stored_at stored_by",
    ),
    (
        "releases",
        "id repository_id tag_name name body draft prerelease target_commitish author html_url \
         created_at published_at stored_at stored_by removed_at",
    ),
    (
        "packages",
        "id owner repository_id package_type name visibility version_count latest_tag html_url \
         created_at updated_at stored_at stored_by removed_at",
    ),
    (
        "commits",
        "repository_id sha message author author_email committer authored_at committed_at \
         html_url stored_at stored_by",
    ),
    (
        "sync_runs",
        "run_number type status dry_run request_namespace request_name request_uid coalesced \
         attempt holder takeover_reason reason message started_at completed_at repositories \
         failed created updated removed unchanged quarantined api_requests api_not_modified \
         api_retried api_waited_seconds api_remaining operator_version committed \
         next_attempt_at",
    ),
    (
        "sync_run_repositories",
        "run_number repository repository_id phase reason error pages created updated removed \
         unchanged complete truncated started_at completed_at",
    ),
    (
        "sync_quarantine",
        "id run_number repository_id resource item_key error raw first_seen_at last_seen_at",
    ),
    ("schema_info", "version min_reader min_writer migrated_at operator_version"),
    (
        "current_issues",
        "repository repository_id number id title body state state_reason type status author \
         author_type is_bot_author author_association assignees labels github_labels milestone \
         comments locked html_url created_at updated_at closed_at age_seconds idle_seconds \
         lead_seconds",
    ),
    (
        "current_pull_requests",
        "repository repository_id number id title body state draft merged author author_type \
         is_bot_author author_association assignees requested_reviewers labels milestone \
         comments head_ref head_sha head_repository base_ref html_url created_at updated_at \
         closed_at merged_at age_seconds idle_seconds lead_seconds",
    ),
    (
        "open_issues",
        "repository repository_id number id title body state state_reason type status author \
         author_type is_bot_author author_association assignees labels github_labels milestone \
         comments locked html_url created_at updated_at closed_at age_seconds idle_seconds \
         lead_seconds",
    ),
    ("issue_labels", "repository_id number name scope value"),
    ("issue_assignees", "repository_id number login user_id"),
    (
        "ci_runs",
        "repository repository_id id workflow_id workflow display_title run_number run_attempt \
         event status conclusion head_branch head_sha actor html_url created_at run_started_at \
         updated_at duration_seconds queue_seconds is_flaky",
    ),
    (
        "failing_workflows",
        "repository repository_id workflow_id workflow path run_id conclusion html_url \
         failing_since failures_in_a_row failing_seconds",
    ),
    (
        "run_history",
        "run_number type status dry_run request_namespace request_name reason message \
         started_at completed_at duration_seconds repositories failed created updated removed \
         unchanged quarantined api_requests api_not_modified takeover_reason",
    ),
    (
        "data_freshness",
        "repository repository_id resource tracked complete_at complete_since age_seconds",
    ),
    (
        "stale_repositories",
        "repository repository_id sync_error sync_error_since suspect_since resource \
         complete_at age_seconds",
    ),
];

/// What is in a column: in that of one table or view, or in all others of its name.
pub(super) const ABOUT: [(&str, &str); 186] = [
    ("id", "GitHub's numeric id"),
    ("sync_quarantine.id", "a hash of resource and item"),
    (
        "pull_requests.id",
        "GitHub's numeric id as a pull request; null until the list of pull requests has told it",
    ),
    (
        "current_pull_requests.id",
        "GitHub's numeric id as a pull request; null until the list of pull requests has told it",
    ),
    ("issue_id", "GitHub's numeric id as an issue"),
    ("node_id", "GitHub's id in GraphQL"),
    ("owner", "the login of the owner"),
    ("owner_id", "the numeric id of the owner"),
    ("name", "the name that people gave it"),
    ("repositories.name", "the name without its owner"),
    ("issue_labels.name", "the whole label, as the rules have it"),
    ("full_name", "owner and name"),
    ("html_url", "where people see it"),
    ("description", "one line"),
    ("default_branch", "the branch that is shown first"),
    ("language", "the main programming language"),
    ("visibility", "public, private or internal"),
    ("private", "whether only some people may see it"),
    ("fork", "whether it began as a copy of another"),
    ("archived", "whether it can only be read"),
    ("disabled", "whether GitHub has disabled it"),
    ("has_issues", "whether issues are switched on"),
    ("topics", "a list of topics"),
    ("license", "the SPDX id of the license"),
    ("stars", "how many people have starred it"),
    ("forks", "how many copies began here"),
    ("open_issues_count", "how many issues and pull requests are open, as GitHub counts"),
    ("created_at", "when it was created"),
    ("workflow_runs.created_at", "when its first attempt was asked for"),
    ("ci_runs.created_at", "when its first attempt was asked for"),
    ("updated_at", "when it last changed at GitHub"),
    ("pushed_at", "when somebody last pushed"),
    ("tracked", "whether the configuration names it, or a pattern that covers it"),
    ("latest_commit_sha", "the newest commit of the default branch; null if it is empty"),
    ("sync_error", "what went wrong when it was last synced; null if nothing did"),
    ("sync_error_since", "since when something goes wrong"),
    ("suspect_since", "since when so many of its issues seem to vanish that none is removed"),
    ("stored_at", "when the row was last written"),
    ("stored_by", "the number of the run that last wrote the row"),
    ("repository_id", "the numeric id of the repository"),
    ("packages.repository_id", "the numeric id of the repository that it belongs to, if to one"),
    (
        "sync_quarantine.repository_id",
        "the numeric id of the repository; null for what belongs to an owner",
    ),
    ("number", "its number in the repository"),
    ("title", "one line"),
    ("body", "Markdown"),
    ("state", "open or closed"),
    ("workflows.state", "active, disabled_manually and so on"),
    ("state_reason", "completed, not_planned, reopened and so on"),
    ("type", "the type of the issue, where the organization has types"),
    ("sync_runs.type", "scheduled, manual or automation"),
    ("run_history.type", "scheduled, manual or automation"),
    ("status", "the status that the rules make of the labels"),
    ("workflow_runs.status", "queued, in_progress, completed and so on"),
    ("workflow_jobs.status", "queued, in_progress, completed and so on"),
    ("ci_runs.status", "queued, in_progress, completed and so on"),
    ("sync_runs.status", "running, succeeded, partial, failed, interrupted or cancelled"),
    ("run_history.status", "running, succeeded, partial, failed, interrupted or cancelled"),
    ("author", "the login of who wrote it; null if the account is gone"),
    ("commits.author", "the name of who wrote it, as git has it"),
    ("author_id", "the numeric id of who wrote it"),
    ("author_type", "User, Bot or Organization"),
    (
        "author_association",
        "what the author is to the repository: OWNER, MEMBER, CONTRIBUTOR and so on",
    ),
    ("assignees", "a list of people, each with id and login"),
    ("labels", "the labels that the rules make of those at GitHub"),
    ("pull_requests.labels", "a list of labels"),
    ("current_pull_requests.labels", "a list of labels"),
    ("workflow_jobs.labels", "what the runner had to have"),
    ("github_labels", "the labels at GitHub"),
    ("milestone", "the title of the milestone"),
    ("milestone_number", "the number of the milestone"),
    ("comments", "how many comments it has"),
    ("locked", "whether talking is over"),
    ("closed_by", "the login of who closed it"),
    ("closed_at", "when it was closed; null while it is open"),
    ("removed_at", "when it was found to be gone; null if it is there"),
    ("removed_reason", "deleted or transferred"),
    ("removed_to", "where it was moved to"),
    ("source", "issues or pulls: the list that has told of it"),
    ("draft", "whether it is not ready"),
    ("releases.draft", "whether it is not published"),
    ("merged", "whether it was merged"),
    ("requested_reviewers", "people who are asked to look at it, each with id and login"),
    ("merge_commit_sha", "the commit of the merge, or a trial of it"),
    ("head_ref", "the branch that it comes from"),
    ("head_sha", "its commit"),
    ("pull_requests.head_sha", "the last commit of its branch"),
    ("current_pull_requests.head_sha", "the last commit of its branch"),
    ("head_repository", "the repository that it comes from; null if that is gone"),
    ("base_ref", "the branch that it goes to"),
    ("base_sha", "the commit that it goes on from"),
    ("merged_at", "when it was merged; null if it was not"),
    ("path", "the file that defines it"),
    ("workflow_id", "the workflow that it belongs to"),
    ("display_title", "what GitHub shows as its title"),
    ("run_number", "the number of the run of the operator"),
    ("workflow_runs.run_number", "counted from 1 in its workflow"),
    ("ci_runs.run_number", "counted from 1 in its workflow"),
    ("run_attempt", "how often it has been run, counted from 1"),
    ("workflow_jobs.run_attempt", "the attempt of the run that it belongs to"),
    ("event", "what began it: push, pull_request, schedule and so on"),
    ("conclusion", "success, failure, cancelled and so on; null while it goes on"),
    ("head_branch", "the branch of its commit"),
    ("actor", "the login of who began it"),
    ("actor_id", "the numeric id of who began it"),
    ("triggering_actor", "the login of who began the newest attempt"),
    ("run_started_at", "when its newest attempt began"),
    ("run_id", "the run that it belongs to"),
    ("failing_workflows.run_id", "the newest finished run"),
    ("runner_name", "the machine that did it"),
    ("started_at", "when it began"),
    ("completed_at", "when it ended; null while it goes on"),
    ("tag_name", "the tag in git"),
    ("prerelease", "whether it is not for everyone yet"),
    ("target_commitish", "the branch or commit that its tag is made from"),
    ("published_at", "when it was published; null for a draft"),
    ("package_type", "container, npm, maven and so on"),
    ("version_count", "how many versions there are"),
    ("latest_tag", "the name or tag of the newest version"),
    ("sha", "the hash of the commit"),
    ("message", "what it says"),
    ("author_email", "the mail address of who wrote it, as git has it"),
    ("committer", "the name of who committed it, as git has it"),
    ("authored_at", "when it was written"),
    ("committed_at", "when it was committed"),
    ("dry_run", "whether nothing was written but the history"),
    ("request_namespace", "the namespace of the request"),
    ("request_name", "the name of the request"),
    ("request_uid", "the uid of the request"),
    ("coalesced", "the uids of the requests that this run has answered, too"),
    ("attempt", "which attempt of the request it was, counted from 1"),
    ("holder", "the process that held the lock"),
    ("takeover_reason", "why the lock was taken from another; null if it was free"),
    ("reason", "one word for how it ended"),
    ("repositories", "how many repositories it was about"),
    ("failed", "how many of them failed"),
    ("created", "how many rows it created"),
    ("updated", "how many rows it changed"),
    ("removed", "how many rows it marked as removed"),
    ("unchanged", "how many rows were the same already"),
    ("quarantined", "how many items it set aside"),
    ("api_requests", "how many questions it asked GitHub"),
    (
        "api_not_modified",
        "how many of them were answered with \"not modified\", which costs no quota",
    ),
    ("api_retried", "how many of them were asked again"),
    ("api_waited_seconds", "how long it waited for GitHub's limits"),
    ("api_remaining", "how many questions were left at its end"),
    ("operator_version", "the version of the operator"),
    ("committed", "whether it has stored anything"),
    ("next_attempt_at", "when another attempt follows, if one does"),
    ("repository", "owner and name of the repository"),
    ("phase", "how it went for this repository"),
    ("error", "what went wrong; null if nothing did"),
    ("pages", "how many pages were read"),
    ("complete", "whether every list was read to its end"),
    ("truncated", "whether a limit has cut off the older part of a list"),
    ("resource", "the list: issues.open, issues.closed, pulls, runs and so on"),
    ("item_key", "what the item is called in its list"),
    ("raw", "the item as GitHub has told it"),
    ("first_seen_at", "when it was first set aside"),
    ("last_seen_at", "when it was last set aside"),
    ("version", "the newest migration"),
    ("min_reader", "the oldest version that may read"),
    ("min_writer", "the oldest version that may write"),
    ("migrated_at", "when the tables were last brought up to date"),
    ("is_bot_author", "whether a bot wrote it"),
    ("age_seconds", "how long it has been open, or was until it was closed"),
    ("data_freshness.age_seconds", "how long ago the list was read to its end"),
    ("stale_repositories.age_seconds", "how long ago that list was read to its end"),
    ("idle_seconds", "how long ago it last changed"),
    ("lead_seconds", "how long it took until it was closed; null while it is open"),
    (
        "current_pull_requests.lead_seconds",
        "how long it took until it was merged; null if it was not",
    ),
    ("scope", "what is before the slash; null without one"),
    ("value", "what is after the slash, or the whole label"),
    ("login", "the login of the assignee"),
    ("user_id", "the numeric id of the assignee"),
    ("workflow", "the name of the workflow"),
    ("duration_seconds", "how long it took; null while it goes on"),
    ("ci_runs.duration_seconds", "how long its newest attempt took; null while it goes on"),
    (
        "queue_seconds",
        "how long its newest attempt waited for the first runner; null where no job is known",
    ),
    (
        "is_flaky",
        "whether its commit has both failed and succeeded in this workflow, or one of its attempts failed and a later one did not",
    ),
    ("failing_since", "when the first of the failed runs in a row was asked for"),
    ("failures_in_a_row", "how many of the newest finished runs have failed"),
    ("failing_seconds", "how long ago that is"),
    ("complete_at", "when the list was last read to its end"),
    ("stale_repositories.complete_at", "when that list was last read to its end; null if never"),
    ("stale_repositories.resource", "the list that was read to its end longest ago"),
    (
        "complete_since",
        "from when on what is stored is complete, where a limit has cut off what is older; null from the beginning",
    ),
];
