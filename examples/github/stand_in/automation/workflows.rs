//! Workflows, their runs, and the jobs of all attempts of a run.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::super::{issue::User, repository::Repository};
use super::sha;

/// A workflow, as its file defines it.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Unique in the world.
    pub id: u64,
    /// What people call it; two may be called the same.
    pub name: String,
    /// Its file.
    pub path: String,
    /// `active`, `disabled_manually` and so on.
    pub state: String,
    /// When its file came.
    pub created_at: DateTime<Utc>,
    /// When its file last changed.
    pub updated_at: DateTime<Utc>,
    /// Fields that replace whatever the answer would say.
    pub patch: Map<String, Value>,
}

/// A run of a workflow, which keeps its id however often it is run again.
#[derive(Clone, Debug)]
pub struct Run {
    /// Unique in the world.
    pub id: u64,
    /// Which workflow it is of, even if that is gone.
    pub workflow_id: u64,
    /// Counted from 1 in its workflow.
    pub number: u64,
    /// Counted from 1.
    pub attempt: u64,
    /// What began it.
    pub event: String,
    /// `queued`, `in_progress`, `completed` and so on.
    pub status: String,
    /// `success`, `failure` and so on, once it is completed.
    pub conclusion: Option<String>,
    /// What it was called, which is its workflow's name as it was then.
    pub name: String,
    /// The title of its commit.
    pub title: String,
    /// Where its commit is.
    pub head_branch: String,
    /// Its commit.
    pub head_sha: String,
    /// Who began it.
    pub actor: User,
    /// Who began its last attempt.
    pub triggering_actor: User,
    /// When its first attempt was asked for.
    pub created_at: DateTime<Utc>,
    /// When its last attempt began.
    pub started_at: DateTime<Utc>,
    /// When anything about it last changed.
    pub updated_at: DateTime<Utc>,
    /// Those of all attempts, the oldest first.
    pub jobs: Vec<Job>,
    /// Fields that replace whatever the answer would say.
    pub patch: Map<String, Value>,
}

/// A job of one attempt of a run.
#[derive(Clone, Debug)]
pub struct Job {
    /// Unique in the world.
    pub id: u64,
    /// Which attempt it is of.
    pub attempt: u64,
    /// What people call it.
    pub name: String,
    /// `queued`, `in_progress`, `completed` and so on.
    pub status: String,
    /// `success`, `failure` and so on, once it is completed.
    pub conclusion: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a runner took it.
    pub started_at: DateTime<Utc>,
    /// When it was over.
    pub completed_at: Option<DateTime<Utc>>,
    /// Fields that replace whatever the answer would say.
    pub patch: Map<String, Value>,
}

impl Run {
    /// The jobs of the last attempt.
    pub fn latest_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().filter(|job| job.attempt == self.attempt)
    }

    fn finish(&mut self, conclusion: &str, at: DateTime<Utc>) {
        let attempt = self.attempt;
        for job in self.jobs.iter_mut().filter(|job| job.attempt == attempt) {
            "completed".clone_into(&mut job.status);
            job.conclusion = Some(conclusion.to_owned());
            job.completed_at = Some(at);
        }
        "completed".clone_into(&mut self.status);
        self.conclusion = Some(conclusion.to_owned());
        self.updated_at = at;
    }
}

impl Repository {
    /// Adds a workflow now, and returns its id.
    pub fn add_workflow(&mut self, name: &str) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let file = name.to_ascii_lowercase().replace(' ', "-");
        let workflow = Workflow {
            id,
            name: name.to_owned(),
            path: format!(".github/workflows/{file}.yml"),
            state: "active".to_owned(),
            created_at: now,
            updated_at: now,
            patch: Map::new(),
        };
        self.automation.workflows.insert(id, workflow);
        id
    }

    /// All workflows, by id.
    pub fn workflows(&self) -> impl DoubleEndedIterator<Item = &Workflow> {
        self.automation.workflows.values()
    }

    /// A workflow, to change it without touching its `updated_at`.
    pub fn workflow_mut(&mut self, id: u64) -> Option<&mut Workflow> {
        self.automation.workflows.get_mut(&id)
    }

    /// Takes a workflow out of the list; its runs stay.
    pub fn delete_workflow(&mut self, id: u64) -> Option<Workflow> {
        self.automation.workflows.remove(&id)
    }

    /// Starts a run of this workflow now, on the newest commit of the default branch, with one job
    /// in progress; returns its id.
    pub fn start_run(&mut self, workflow_id: u64) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let workflow = self.automation.workflows.get(&workflow_id);
        let name = workflow.map_or_else(|| "gone".to_owned(), |one| one.name.clone());
        let of_workflow =
            self.automation.runs.values().filter(|run| run.workflow_id == workflow_id);
        let number = of_workflow.map(|run| run.number).max().unwrap_or(0) + 1;
        let newest = self.automation.commits.last();
        let run = Run {
            id,
            workflow_id,
            number,
            attempt: 1,
            event: "push".to_owned(),
            status: "in_progress".to_owned(),
            conclusion: None,
            name,
            title: newest.map_or_else(|| "a change".to_owned(), |one| one.title().to_owned()),
            head_branch: self.default_branch.clone(),
            head_sha: newest.map_or_else(|| sha(&id.to_string()), |one| one.sha.clone()),
            actor: User::named("octavia"),
            triggering_actor: User::named("octavia"),
            created_at: now,
            started_at: now,
            updated_at: now,
            jobs: Vec::new(),
            patch: Map::new(),
        };
        self.automation.runs.insert(id, run);
        self.add_job(id, "build");
        id
    }

    /// Adds a job in progress to the last attempt of a run, and returns its id.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    pub fn add_job(&mut self, run: u64, name: &str) -> u64 {
        let (id, now) = (self.next_id(), self.now());
        let run = self.existing_run(run);
        run.jobs.push(Job {
            id,
            attempt: run.attempt,
            name: name.to_owned(),
            status: "in_progress".to_owned(),
            conclusion: None,
            created_at: now,
            started_at: now,
            completed_at: None,
            patch: Map::new(),
        });
        run.updated_at = now;
        id
    }

    /// Ends the last attempt of a run now, and all its jobs.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    pub fn finish_run(&mut self, id: u64, conclusion: &str) {
        let now = self.now();
        self.existing_run(id).finish(conclusion, now);
    }

    /// Runs a run again now: the next attempt, with the same jobs under other ids.
    ///
    /// # Panics
    ///
    /// If there is no such run.
    pub fn rerun(&mut self, id: u64) {
        let now = self.now();
        let run = self.existing_run(id);
        let names: Vec<String> = run.latest_jobs().map(|job| job.name.clone()).collect();
        run.attempt += 1;
        run.conclusion = None;
        "in_progress".clone_into(&mut run.status);
        run.started_at = now;
        run.updated_at = now;
        for name in names {
            self.add_job(id, &name);
        }
    }

    /// All runs, by id.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Run> {
        self.automation.runs.values()
    }

    /// The run of this id, if it is here.
    pub fn run(&self, id: u64) -> Option<&Run> {
        self.automation.runs.get(&id)
    }

    /// A run, to change it without touching its `updated_at`.
    pub fn run_mut(&mut self, id: u64) -> Option<&mut Run> {
        self.automation.runs.get_mut(&id)
    }

    /// Deletes a run and its jobs: asking for it is answered 404 from now on.
    pub fn delete_run(&mut self, id: u64) -> Option<Run> {
        self.automation.runs.remove(&id)
    }

    fn existing_run(&mut self, id: u64) -> &mut Run {
        let full_name = self.full_name();
        self.run_mut(id).unwrap_or_else(|| panic!("{full_name} has no run {id}"))
    }
}
