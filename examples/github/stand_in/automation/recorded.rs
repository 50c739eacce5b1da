//! Adds what others have recorded of automation to a world.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use chrono::{DateTime, Utc};
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

use super::super::{
    issue::{Issue, PullRequest, State},
    recordings::RECORDED,
    repository::Repository,
    world::World,
};

type Object = Map<String, Value>;

impl World {
    /// Adds the workflows, runs, jobs, releases, pull requests and packages of
    /// `folder/github-objects.jsonl.gz` to the repository [`RECORDED`] and its owner.
    ///
    /// What was recorded more than once is as it was last. A job goes to the run that it names, or
    /// to the newest if that was not recorded. Pull requests get numbers anew.
    ///
    /// # Panics
    ///
    /// If the recorded issues were not loaded before.
    pub fn load_recorded_automation(&mut self, folder: &Path) -> io::Result<()> {
        let file = File::open(folder.join("github-objects.jsonl.gz"))?;
        let mut jobs = Vec::new();
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let mut line: Value = serde_json::from_str(&line?)?;
            let Value::Object(object) = line["v"].take() else { continue };
            let repository = self.repository_mut(RECORDED);
            match line["model"].as_str() {
                Some("workflow") => repository.load_workflow(object),
                Some("run") => repository.load_run(object),
                Some("job") => jobs.push(object),
                Some("release") => repository.load_release(object),
                Some("pull") => repository.load_pull(object),
                Some("package") => self.load_package(object),
                _ => {}
            }
        }
        for job in jobs {
            self.repository_mut(RECORDED).load_job(job);
        }
        Ok(())
    }

    fn load_package(&mut self, object: Object) {
        let (kind, name) = (text(&object, "package_type"), text(&object, "name"));
        let owner = RECORDED.split('/').next().unwrap_or_default();
        let package = self.add_package(owner, &kind, &name);
        package.patch = without(object, &["owner", "repository", "url"]);
    }
}

impl Repository {
    fn load_workflow(&mut self, object: Object) {
        let id = self.add_workflow(&text(&object, "name"));
        if let Some(mut workflow) = self.automation.workflows.remove(&id) {
            workflow.id = number(&object, "id");
            workflow.patch = object;
            self.automation.workflows.insert(workflow.id, workflow);
        }
    }

    fn load_run(&mut self, object: Object) {
        let id = number(&object, "id");
        let updated_at = time(&object, "updated_at").unwrap_or_default();
        if self.run(id).is_some_and(|known| known.updated_at > updated_at) {
            return;
        }
        let made = self.start_run(number(&object, "workflow_id"));
        let Some(mut run) = self.automation.runs.remove(&made) else { return };
        run.id = id;
        run.created_at = time(&object, "created_at").unwrap_or_default();
        run.updated_at = updated_at;
        // Older answers did not tell it.
        run.started_at = time(&object, "run_started_at").unwrap_or(run.created_at);
        run.attempt = number(&object, "run_attempt").max(1);
        run.status = text(&object, "status");
        run.jobs.clear();
        run.patch = without(object, &["jobs_url", "repository", "head_repository"]);
        self.automation.runs.insert(id, run);
    }

    fn load_job(&mut self, mut object: Object) {
        let newest = self.runs().max_by_key(|run| run.created_at).map(|run| run.id);
        let of = Some(number(&object, "run_id")).filter(|id| self.run(*id).is_some()).or(newest);
        let Some(run) = of else { return };
        object.insert("run_id".to_owned(), run.into());
        self.add_job(run, &text(&object, "name"));
        let job = self.run_mut(run).and_then(|run| run.jobs.last_mut());
        if let Some(job) = job {
            job.id = number(&object, "id");
            job.started_at = time(&object, "started_at").unwrap_or_default();
            job.created_at = job.started_at;
            job.patch = object;
        }
        // What adding a job has changed is not so.
        if let Some(run) = self.run_mut(run) {
            run.updated_at = time(&run.patch, "updated_at").unwrap_or(run.updated_at);
        }
    }

    fn load_release(&mut self, object: Object) {
        let id = self.push_release(&text(&object, "tag_name"));
        if let Some(mut release) = self.automation.releases.remove(&id) {
            release.id = number(&object, "id");
            release.created_at = time(&object, "created_at").unwrap_or_default();
            release.patch = object;
            self.automation.releases.insert(release.id, release);
        }
    }

    fn load_pull(&mut self, mut object: Object) {
        let is_same = |issue: &&Issue| {
            let pull = issue.pull_request.as_ref();
            pull.is_some_and(|pull| pull.patch.get("id") == object.get("id"))
        };
        let known = self.issues().find(is_same).map(|issue| (issue.number, issue.updated_at));
        let updated_at = time(&object, "updated_at").unwrap_or_default();
        let number = match known {
            Some((_, before)) if before > updated_at => return,
            Some((number, _)) => number,
            None => self.next_number(),
        };
        object.insert("number".to_owned(), number.into());
        let mut issue =
            Issue::new(self.issue_id(number), number, &text(&object, "title"), updated_at);
        issue.created_at = time(&object, "created_at").unwrap_or_default();
        issue.body = object.get("body").and_then(Value::as_str).map(str::to_owned);
        if text(&object, "state") == "closed" {
            issue.state = State::Closed;
        }
        issue.closed_at = time(&object, "closed_at");
        let fork_is_gone = object.get("head").is_some_and(|head| head["repo"].is_null());
        issue.pull_request = Some(PullRequest {
            draft: object.get("draft") == Some(&Value::Bool(true)),
            merged_at: time(&object, "merged_at"),
            fork_is_gone,
            patch: without(object, &["url", "_links"]),
            ..PullRequest::default()
        });
        self.put_issue(issue);
    }
}

fn text(object: &Object, field: &str) -> String {
    object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn number(object: &Object, field: &str) -> u64 {
    object.get(field).and_then(Value::as_u64).unwrap_or_default()
}

fn time(object: &Object, field: &str) -> Option<DateTime<Utc>> {
    object.get(field)?.as_str()?.parse().ok()
}

fn without(mut object: Object, fields: &[&str]) -> Object {
    object.retain(|field, _| !fields.contains(&field.as_str()));
    object
}
