//! Answers what is asked of workflows, runs and jobs. Pure.

use std::cmp::Reverse;

use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::json;

use super::super::{
    answer::{Answer, Ask},
    pages::Page,
    repository::Repository,
    world::World,
};
use super::{by_number, page, shapes, workflows::Run};

/// A list of runs that is filtered ends here.
const FILTERED_LISTS_END_AT: usize = 1_000;

/// The workflows of a repository.
pub(super) fn workflows(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    let all: Vec<_> = repository.workflows().collect();
    let url = by_number(world, repository, "actions/workflows");
    page(ask, &url, &all, Some("workflows"), |one| {
        shapes::workflow(one, repository, world.base_url())
    })
}

/// The runs of a repository, the newest first.
pub(super) fn runs(world: &World, repository: &Repository, ask: &Ask) -> Answer {
    let Some(filter) = Filter::asked(ask) else {
        return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed");
    };
    let mut list: Vec<&Run> = repository.runs().filter(|run| filter.wants(run)).collect();
    list.sort_by_key(|run| Reverse((run.created_at, run.id)));
    let total = list.len();
    if filter.is_any() {
        list.truncate(FILTERED_LISTS_END_AT);
    }
    let page = Page::asked(ask);
    let shape = shapes::RunShape::new(repository, world.base_url());
    let shown: Vec<_> = page.of(&list).iter().map(|run| shape.run(run)).collect();
    let url = by_number(world, repository, "actions/runs");
    Answer::ok(&json!({"total_count": total, "workflow_runs": shown})).with_link(page.links(
        &url,
        ask,
        list.len(),
    ))
}

/// One run.
pub(super) fn run(world: &World, repository: &Repository, id: u64) -> Answer {
    let shape = shapes::RunShape::new(repository, world.base_url());
    repository.run(id).map_or_else(Answer::not_found, |run| Answer::ok(&shape.run(run)))
}

/// The jobs of a run: of its last attempt, or of all.
pub(super) fn jobs(world: &World, repository: &Repository, id: u64, ask: &Ask) -> Answer {
    let Some(run) = repository.run(id) else {
        return Answer::not_found();
    };
    let jobs: Vec<_> = match ask.parameter("filter") {
        None | Some("latest") => run.latest_jobs().collect(),
        Some("all") => run.jobs.iter().collect(),
        Some(_) => return Answer::error(StatusCode::UNPROCESSABLE_ENTITY, "Validation Failed"),
    };
    let url = by_number(world, repository, &format!("actions/runs/{id}/jobs"));
    page(ask, &url, &jobs, Some("jobs"), |job| {
        shapes::job(job, run, &repository.full_name(), world.base_url())
    })
}

/// What the parameters ask for.
struct Filter<'a> {
    /// Each with what a run must say.
    exact: Vec<(&'static str, &'a str)>,
    created: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

impl<'a> Filter<'a> {
    fn asked(ask: &'a Ask) -> Option<Self> {
        let names = ["actor", "branch", "event", "status", "head_sha"];
        let exact = names.into_iter().filter_map(|name| Some((name, ask.parameter(name)?)));
        let created = match ask.parameter("created") {
            None => None,
            Some(text) => Some(range(text)?),
        };
        Some(Self { exact: exact.collect(), created })
    }

    fn is_any(&self) -> bool {
        !self.exact.is_empty() || self.created.is_some()
    }

    fn wants(&self, run: &Run) -> bool {
        let says = |(name, value): &(&str, &str)| match *name {
            "actor" => run.actor.login.eq_ignore_ascii_case(value),
            "branch" => run.head_branch == *value,
            "event" => run.event == *value,
            "status" => run.status == *value || run.conclusion.as_deref() == Some(*value),
            _ => run.head_sha == *value,
        };
        self.exact.iter().all(says)
            && self.created.is_none_or(|(from, to)| (from..=to).contains(&run.created_at))
    }
}

/// A range as the search has it: `>=2024-01-01`, `<2024-01-01T10:00:00Z`, `2024-01-01..2024-02-01`,
/// where `*` is any, or one day.
fn range(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let (earliest, latest) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let second = TimeDelta::seconds(1);
    if let Some((from, to)) = text.split_once("..") {
        let from = if from == "*" { earliest } else { moment(from)?.0 };
        let to = if to == "*" { latest } else { moment(to)?.1 };
        return Some((from, to));
    }
    for (sign, open) in [(">=", false), ("<=", false), (">", true), ("<", true)] {
        let Some(rest) = text.strip_prefix(sign) else { continue };
        let (begin, end) = moment(rest)?;
        return Some(match (sign.starts_with('>'), open) {
            (true, false) => (begin, latest),
            (true, true) => (end + second, latest),
            (false, false) => (earliest, end),
            (false, true) => (earliest, begin - second),
        });
    }
    moment(text)
}

/// The first and the last second of a day, or one second twice.
fn moment(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if let Ok(day) = text.parse::<NaiveDate>() {
        let begin = day.and_hms_opt(0, 0, 0)?.and_utc();
        return Some((begin, begin + TimeDelta::seconds(86_399)));
    }
    let at: DateTime<Utc> = text.parse().ok()?;
    Some((at, at))
}
